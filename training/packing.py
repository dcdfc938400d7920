"""Command line that packs a corpus split into shards: `python -m training.packing`.

Only wires corpus, tokenizer, examples and shards together, one shard after the other; each shard
has its own seed, so several processes may write different shards of one split.
"""

import argparse
import time
from pathlib import Path

from tokenizers import Tokenizer

from training.examples import ExampleMaker, ExampleSettings, read_corpus
from training.shards import write_shard
from training.spans import EVALUATION_MIX, SpanMix

_SPLIT_SEEDS = {"train": 0, "dev": 10_000_000, "heldout": 20_000_000}
_EXAMPLES_PER_SHARD = 25_000  # about 15 MiB; far below the 55 MiB that one transfer may hold


def parse_budgets(text: str, max_context_tokens: int) -> dict[int, float]:
    """Parse "96:40,160:30" into weights by budget, leaving out budgets over the maximum.

    Raises:
        ValueError: no budget is left.
    """
    pairs = [part.split(":") for part in text.split(",")]
    budgets = {int(size): float(weight) for size, weight in pairs}
    kept = {size: weight for size, weight in budgets.items() if size <= max_context_tokens}
    if not kept:
        raise ValueError(f"--budgets {text!r} holds none of at most {max_context_tokens} tokens")
    return kept


def main() -> None:
    """Parse the flags and write the shards."""
    parser = argparse.ArgumentParser(prog="python -m training.packing")
    parser.add_argument("--corpus", type=Path, default=Path(".training/corpus"))
    parser.add_argument("--out", type=Path, default=Path(".training/packed"))
    parser.add_argument(
        "--tokenizer", type=Path, default=Path("infill_engine/embedded/tokenizer.json")
    )
    parser.add_argument("--split", choices=list(_SPLIT_SEEDS), default="train")
    parser.add_argument("--examples", type=int, default=150_000)
    parser.add_argument("--first-shard", type=int, default=0, help="number of the first shard")
    parser.add_argument("--max-context-tokens", type=int, default=512)
    parser.add_argument("--budgets", default="96:40,160:30,256:20,512:10", help="tokens:weight,...")
    flags = parser.parse_args()
    mix = SpanMix() if flags.split == "train" else EVALUATION_MIX
    budgets = parse_budgets(flags.budgets, flags.max_context_tokens)
    settings = ExampleSettings(budgets=budgets, mix=mix)
    tokenizer = Tokenizer.from_file(str(flags.tokenizer))
    maker = ExampleMaker(read_corpus(flags.corpus / f"{flags.split}.jsonl"), tokenizer, settings)
    for shard_idx, start in enumerate(
        range(0, flags.examples, _EXAMPLES_PER_SHARD), flags.first_shard
    ):
        began = time.monotonic()
        seed = _SPLIT_SEEDS[flags.split] + shard_idx
        num_examples = min(_EXAMPLES_PER_SHARD, flags.examples - start)
        folder = flags.out / f"{flags.split}-{shard_idx:05d}"
        meta: dict[str, object] = {"split": flags.split, "seed": seed, "budgets": budgets}
        write_shard(folder, maker.examples(num_examples, seed), meta)
        print(f"{folder.name}: {num_examples} in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
