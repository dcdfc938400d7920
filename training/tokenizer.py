"""Trains the byte-level BPE tokenizer of the embedded model.

Splits text so that a line end is always a token of its own, and so that no merge crosses a line
end, a run of indentation or a digit. No normalisation: decoding gives back every byte. Knows the
corpus only as lines of JSON, and nothing of spans or of the model.

How to load it: `tokenizers.Tokenizer.from_file(path)`, nothing else is needed. The special tokens
are entries of the vocabulary (`token_to_id("<|prefix|>")` gives 7) that no merge leads to and that
are not registered as added tokens, so text that spells "<|prefix|>" encodes as ordinary bytes
without any flag. The price: `decode` does not know them either, so drop ids below
`NUM_SPECIAL_TOKENS` before decoding.
"""

import argparse
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from infill_engine.prompt_format import NUM_SPECIAL_TOKENS, SPECIAL_TOKEN_NAMES

VOCAB_SIZE = 16_384
_MAX_TOKEN_CHARS = 24  # longer tokens are licence text and rulers, not code
_MIN_PAIR_FREQUENCY = 20

# Alternatives are tried in order; together they match every character.
PIECES = "|".join(
    [
        r"\r\n|\n|\r",  # a line end, alone
        r"[^\S\r\n]{2,}",  # indentation or alignment, whole
        r"[ ]?[\p{L}_][\p{L}\p{M}_]*",  # an identifier without its digits
        r"[ ]?\p{N}",  # one digit
        r"[ ]?[^\s\p{L}\p{N}_]{1,16}",  # operators and brackets
        r"[^\S\r\n]",  # a lone blank before a line end or at the end of the text
    ]
)


def new_tokenizer() -> Tokenizer:
    """Return an untrained tokenizer with the pre-tokeniser and decoder in place."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train_tokenizer(texts: Iterable[str], vocab_size: int = VOCAB_SIZE) -> Tokenizer:
    """Train on texts and return a tokenizer of exactly `vocab_size` tokens, specials included.

    Raises:
        ValueError: the texts are too small to fill the vocabulary.
    """
    tokenizer = new_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=_MIN_PAIR_FREQUENCY if vocab_size >= VOCAB_SIZE else 1,
        special_tokens=list(SPECIAL_TOKEN_NAMES),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=_MAX_TOKEN_CHARS,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != vocab_size:
        raise ValueError(
            f"the texts give {tokenizer.get_vocab_size()} tokens, wanted {vocab_size}: "
            "train on more text"
        )
    return without_added_tokens(tokenizer)


def without_added_tokens(tokenizer: Tokenizer) -> Tokenizer:
    """Return a copy whose special tokens cannot be matched in text (see the module docstring)."""
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = []
    return Tokenizer.from_str(json.dumps(state))


def sample_texts(corpus_file: Path, max_chars: int, seed: int = 0) -> Iterator[str]:
    """Yield about `max_chars` characters of whole files, drawn evenly over the corpus file."""
    fraction = min(1.0, max_chars / max(1, corpus_file.stat().st_size))
    rng = random.Random(seed)
    with corpus_file.open(encoding="utf-8") as lines:
        for line in lines:
            if rng.random() < fraction:
                yield json.loads(line)["text"]


def main() -> None:
    """Train on a built corpus and write tokenizer.json."""
    parser = argparse.ArgumentParser(prog="python -m training.tokenizer")
    command = parser.add_subparsers(required=True).add_parser("train", help="train the BPE")
    command.add_argument("--corpus", type=Path, default=Path(".training/corpus"))
    command.add_argument("--out", type=Path, default=Path("infill_engine/embedded/tokenizer.json"))
    command.add_argument("--max-megabytes", type=float, default=60.0, help="text to train on")
    flags = parser.parse_args()
    texts = sample_texts(flags.corpus / "train.jsonl", round(flags.max_megabytes * 1e6))
    tokenizer = train_tokenizer(texts)
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(flags.out), pretty=False)
    print(f"{tokenizer.get_vocab_size()} tokens, {NUM_SPECIAL_TOKENS} of them special: {flags.out}")


if __name__ == "__main__":
    main()
