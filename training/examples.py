"""Turns cut files into token ids: the prompt as the engine would build it, and the middle.

Draws files, gaps and budgets, and applies token healing to a part of the gaps. Knows the
tokenizer and the prompt layout; nothing of shards on disk or of batches.
"""

import json
import random
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from infill_engine.prompt_format import (
    MAX_PATH_TOKENS,
    NUM_PROMPT_MARKERS,
    SpecialIds,
    assemble_prompt,
    split_budget,
)
from training.spans import Cut, FileCutter, SpanKind, SpanMix

LANGUAGES = ("", "python", "javascript", "typescript", "typescriptreact", "go", "rust", "c", "java")
"""LSP language identifiers by the number stored in a shard; append only."""

_HEALED_KINDS = frozenset({SpanKind.CHARACTERS, SpanKind.REST_OF_LINE, SpanKind.SYNTAX_NODE})
_CHARS_PER_TOKEN = 6  # text cut this generously always fills its token budget
_BATCH = 1024
_NUM_PATH_PARTS = 3
_MIN_SNIPPET_BUDGET = 256
_NEIGHBOR_FILES = 8

U16 = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class ExampleSettings:
    """How examples are drawn.

    Attributes:
        budgets: context budget in tokens → relative weight.
        mix: weights of the span kinds.
        max_middle_tokens: gaps longer than this are drawn anew; the end mark is not counted.
        healed_rate: share of the mid-line gaps whose prefix is cut back by its last token.
        no_path_rate, no_language_rate: share of prompts without a path or language.
        snippet_rate: share of the prompts with room for it that hold a piece of another file.
    """

    budgets: dict[int, float] = field(default_factory=lambda: {96: 40, 160: 30, 256: 20, 512: 10})
    mix: SpanMix = field(default_factory=SpanMix)
    max_middle_tokens: int = 256
    healed_rate: float = 0.3
    no_path_rate: float = 0.15
    no_language_rate: float = 0.05
    snippet_rate: float = 0.08


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One line of a corpus file."""

    package: str
    language: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """One training example; `middle` ends with `<|end_of_middle|>`."""

    context: U16
    middle: U16
    kind: SpanKind
    language: str
    budget: int
    is_healed: bool


@dataclass(frozen=True, slots=True)
class _Draft:
    cut: Cut
    file: SourceFile
    budget: int
    path: str
    language: str
    snippet: tuple[str, str] | None
    wants_healing: bool


def read_corpus(path: Path) -> list[SourceFile]:
    """Read a whole corpus file into memory."""
    with path.open(encoding="utf-8") as lines:
        return [SourceFile(**json.loads(line)) for line in lines]


class ExampleMaker:
    """Draws examples from a corpus held in memory."""

    def __init__(
        self, files: list[SourceFile], tokenizer: Tokenizer, settings: ExampleSettings
    ) -> None:
        self._files = files
        self._tokenizer = tokenizer
        self._settings = settings
        self._special = SpecialIds.from_vocabulary(tokenizer.token_to_id)
        # Every character is as likely as any other to be near a gap.
        self._cumulative = list(accumulate(len(file.text) for file in files))
        self._num_bytes = [0] * tokenizer.get_vocab_size()
        for token, token_id in tokenizer.get_vocab().items():
            self._num_bytes[token_id] = len(token)  # byte-level: one character is one byte

    def examples(self, num_examples: int, seed: int) -> Iterator[Example]:
        """Yield exactly `num_examples` examples, the same ones for the same seed."""
        rng = random.Random(seed)
        num_left = num_examples
        while num_left:
            for example in self._encode(
                [self._draw(rng) for _ in range(min(_BATCH, num_left + 8))]
            ):
                if num_left:
                    num_left -= 1
                    yield example

    def _draw(self, rng: random.Random) -> _Draft:
        settings = self._settings
        file_idx = bisect_left(self._cumulative, rng.randint(1, self._cumulative[-1]))
        file = self._files[file_idx]
        cut = FileCutter(file.text, file.language).cut(rng, settings.mix)
        budget = rng.choices(list(settings.budgets), list(settings.budgets.values()))[0]
        has_snippet = budget >= _MIN_SNIPPET_BUDGET and rng.random() < settings.snippet_rate
        return _Draft(
            cut=cut,
            file=file,
            budget=budget,
            path="" if rng.random() < settings.no_path_rate else _short_path(file.path),
            language="" if rng.random() < settings.no_language_rate else file.language,
            snippet=self._snippet(file_idx, budget, rng) if has_snippet else None,
            wants_healing=cut.kind in _HEALED_KINDS and rng.random() < settings.healed_rate,
        )

    def _snippet(self, file_idx: int, budget: int, rng: random.Random) -> tuple[str, str] | None:
        """Draw whole lines of another file of the same package."""
        low, high = (
            max(0, file_idx - _NEIGHBOR_FILES),
            min(len(self._files), file_idx + _NEIGHBOR_FILES),
        )
        other = self._files[rng.randrange(low, high)]
        if other.package != self._files[file_idx].package or other is self._files[file_idx]:
            return None
        start = other.text.rfind("\n", 0, rng.randrange(len(other.text))) + 1
        end = other.text.find("\n", start + budget // 2)
        text = other.text[start : start + budget if end == -1 else min(end + 1, start + 2 * budget)]
        return (_short_path(other.path), text)

    def _encode_texts(self, texts: list[str]) -> list[list[int]]:
        return [e.ids for e in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def _encode(self, drafts: list[_Draft]) -> Iterator[Example]:
        tails = [d.cut.prefix[-_CHARS_PER_TOKEN * d.budget :] for d in drafts]
        heads = [d.cut.suffix[: _CHARS_PER_TOKEN * d.budget] for d in drafts]
        prefixes, suffixes = self._encode_texts(tails), self._encode_texts(heads)
        paths = self._encode_texts([d.path for d in drafts])
        languages = self._encode_texts([d.language for d in drafts])
        snippet_paths = self._encode_texts([d.snippet[0] if d.snippet else "" for d in drafts])
        snippet_texts = self._encode_texts([d.snippet[1] if d.snippet else "" for d in drafts])
        middle_texts: list[str] = []
        healed: list[bool] = []
        for idx, draft in enumerate(drafts):
            removed = ""
            if draft.wants_healing:
                prefixes[idx], removed = self._cut_back(prefixes[idx], tails[idx])
            healed.append(bool(removed))
            middle_texts.append(removed + draft.cut.middle)
        for idx, middle in enumerate(self._encode_texts(middle_texts)):
            if len(middle) > self._settings.max_middle_tokens:
                continue
            draft, path_ids = drafts[idx], paths[idx][-MAX_PATH_TOKENS:]
            snippets = []
            if draft.snippet:
                room = draft.budget // 4
                snippets = [(snippet_paths[idx][-MAX_PATH_TOKENS:], snippet_texts[idx][:room])]
            fixed = NUM_PROMPT_MARKERS + len(languages[idx]) + len(path_ids)
            fixed += sum(len(p) + len(t) + 2 for p, t in snippets)
            num_prefix, num_suffix = split_budget(
                len(prefixes[idx]), len(suffixes[idx]), draft.budget - fixed
            )
            context = assemble_prompt(
                self._special,
                languages[idx],
                path_ids,
                snippets,
                suffixes[idx][:num_suffix],
                prefixes[idx][len(prefixes[idx]) - num_prefix :],
            )
            yield Example(
                np.array(context, np.uint16),
                np.array([*middle, self._special.end_of_middle], np.uint16),
                draft.cut.kind,
                draft.file.language,
                draft.budget,
                healed[idx],
            )

    def _cut_back(self, prefix_ids: list[int], prefix: str) -> tuple[list[int], str]:
        """Take the last token off a prefix, and further ones while a character is split.

        A line end is always a token of its own, so there is nothing to heal behind one.

        Returns:
            (the ids that stay, the text taken off: empty when nothing was).
        """
        if not prefix_ids or prefix.endswith(("\n", "\r")):
            return prefix_ids, ""
        data = prefix.encode()
        num_kept, end = len(prefix_ids), len(data)
        while num_kept:
            num_kept -= 1
            end -= self._num_bytes[prefix_ids[num_kept]]
            is_character_start = data[end] & 0xC0 != 0x80
            if is_character_start:
                return prefix_ids[:num_kept], data[end:].decode()
        return prefix_ids, ""


def _short_path(path: str) -> str:
    return "/".join(PurePosixPath(path).parts[-_NUM_PATH_PARTS:])
