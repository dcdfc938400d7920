"""Text to token ids and back, for any `tokenizer.json`; special tokens by name.

User text never turns into special tokens: "<eos>" in a source file is five ordinary characters.
Knows nothing of prompts.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer as HFTokenizer

from infill_engine.api import CheckpointError
from infill_engine.prompt_format import SPECIAL_TOKEN_NAMES

_FIRST_PRINTABLE_STAND_IN = 256  # byte-level vocabularies write unprintable bytes as U+0100 on


class Tokenizer:
    """A `tokenizers` vocabulary with the few questions that infilling asks of it."""

    def __init__(self, inner: HFTokenizer) -> None:
        inner.encode_special_tokens = True
        self._inner = inner
        self._num_chars_begun: dict[int, int] = {}

    @classmethod
    def from_folder(cls, folder: Path) -> "Tokenizer":
        """Read `folder/tokenizer.json`.

        Raises:
            CheckpointError: the file is missing or damaged.
        """
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise CheckpointError(f"{path} does not exist; a model folder needs its tokenizer.")
        try:
            return cls(HFTokenizer.from_file(str(path)))
        except Exception as error:  # the library raises bare Exception for any damage
            raise CheckpointError(f"{path} cannot be read as a tokenizer: {error}.") from None

    @property
    def vocab_size(self) -> int:
        """Number of ids, special ones included."""
        return self._inner.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without any special token."""
        return self._inner.encode(text, add_special_tokens=False).ids

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of `token_ids`; special tokens give nothing."""
        special = self._special_set
        return self._inner.decode([i for i in token_ids if i not in special])

    def token_id(self, name: str) -> int | None:
        """Id of the vocabulary entry spelled `name`, or None."""
        return self._inner.token_to_id(name)

    def special_id(self, name: str) -> int:
        """Id of the special token called `name`.

        Raises:
            CheckpointError: the vocabulary has no such token.
        """
        token_id = self._inner.token_to_id(name)
        if token_id is None:
            raise CheckpointError(f"The tokenizer has no token {name!r}, which its prompt needs.")
        return token_id

    def has_special(self, name: str) -> bool:
        """Whether a token called `name` exists."""
        return self._inner.token_to_id(name) is not None

    @cached_property
    def special_ids(self) -> tuple[int, ...]:
        """All ids that stand for no text.

        The embedded model's are plain entries of its vocabulary that no text encodes to; other
        vocabularies mark theirs as added tokens.
        """
        added = self._inner.get_added_tokens_decoder()
        found = {i for i, token in added.items() if token.special}
        if all(self.has_special(name) for name in SPECIAL_TOKEN_NAMES):
            found.update(self.special_id(name) for name in SPECIAL_TOKEN_NAMES)
        return tuple(sorted(found))

    def ids_starting_with(self, text: str) -> list[int]:
        """Ordinary tokens whose bytes begin with those of `text`, in no particular order."""
        wanted = text.encode()
        names, ids = self._sorted_tokens
        begin = bisect_left(names, wanted)
        found = []
        for name, token_id in zip(names[begin:], ids[begin:], strict=True):
            if not name.startswith(wanted):
                break
            found.append(token_id)
        return found

    def ids_containing(self, text: str) -> list[int]:
        """Ordinary tokens whose bytes contain those of `text`, in no particular order."""
        wanted = text.encode()
        names, ids = self._sorted_tokens
        return [i for name, i in zip(names, ids, strict=True) if wanted in name]

    def num_chars_of(self, token_ids: Sequence[int]) -> list[int]:
        """How many characters begin in each token; their sum is the decoded text's length."""
        known = self._num_chars_begun
        for token_id in token_ids:
            if token_id not in known:
                known[token_id] = self._count_chars_begun(token_id)
        return [known[token_id] for token_id in token_ids]

    def _count_chars_begun(self, token_id: int) -> int:
        name = self._inner.id_to_token(token_id)
        if name is None or token_id in self._special_set:
            return 0
        # In UTF-8 every byte but those of the form 10xxxxxx begins a character.
        return sum(byte & 0xC0 != 0x80 for byte in self._to_bytes(name))

    @cached_property
    def _special_set(self) -> frozenset[int]:
        return frozenset(self.special_ids)

    @cached_property
    def _to_bytes(self) -> Callable[[str], bytes]:
        return _byte_level if self._inner.token_to_id("Ċ") is not None else _sentence_piece

    @cached_property
    def _sorted_tokens(self) -> tuple[list[bytes], list[int]]:
        specials = self._special_set
        vocabulary = self._inner.get_vocab(with_added_tokens=True)
        pairs = sorted(
            (self._to_bytes(name), i) for name, i in vocabulary.items() if i not in specials
        )
        return [name for name, _ in pairs], [token_id for _, token_id in pairs]


def _byte_level(name: str) -> bytes:
    """GPT-2 style: every byte has a printable stand-in character."""
    return bytes(_BYTE_OF_STAND_IN.get(char, ord("?")) for char in name)


def _sentence_piece(name: str) -> bytes:
    """Gemma style: "▁" is a space, "<0x0A>" a raw byte."""
    if len(name) == 6 and name.startswith("<0x") and name.endswith(">"):
        return bytes([int(name[3:5], 16)])
    return name.replace("▁", " ").encode()


def _stand_ins() -> dict[str, int]:
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in printable)
    for offset, byte in enumerate(others):
        table[chr(_FIRST_PRINTABLE_STAND_IN + offset)] = byte
    return table


_BYTE_OF_STAND_IN = _stand_ins()
