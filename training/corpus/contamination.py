"""Finds files that share text with a benchmark, so that they can be left out of training.

The benchmark is read from a folder given by the caller and is used to exclude, never to train;
nothing of it is kept in the repository. A file is contaminated when it
  1. defines a function with the name of a distinctive benchmark entry point,
  2. shares ten consecutive words with a benchmark prompt, solution or test, or
  3. shares fifty consecutive characters with one, white space not counted.

Entry points without an underscore or an inner capital ("add", "encode", "solve") are ordinary
names in any code base, so they do not count for 1; the text windows still find copies of them.
Knows nothing of packages or of the model.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NUM_GRAM_WORDS = 10
NUM_WINDOW_CHARS = 50
_MIN_DISTINCT_WORDS = 5  # below it a gram is a list of numbers or a chain of "self"
_TABLE_BITS = 24

_WORD = re.compile(r"\w+")
_SPACE = re.compile(rb"\s+")
_BENCHMARK_FIELDS = ("prompt", "suffix", "canonical_solution", "test")

U64 = NDArray[np.uint64]


def is_distinctive(entry_point: str) -> bool:
    """Tell whether a function name alone points at the benchmark."""
    return "_" in entry_point or (not entry_point[1:].islower() and len(entry_point) > 4)


class ContaminationFilter:
    """Holds hashes of every window of the benchmark and tests files against them."""

    def __init__(self, texts: Iterable[str], entry_points: Iterable[str]) -> None:
        texts = list(dict.fromkeys(texts))
        names = sorted(filter(is_distinctive, set(entry_points)))
        self._definition = (
            re.compile(rf"\bdef\s+({'|'.join(map(re.escape, names))})\s*\(") if names else None
        )
        self._grams = _HashTable(_word_gram_hashes(text) for text in texts)
        self._windows = _HashTable(_char_window_hashes(text) for text in texts)

    @property
    def num_windows(self) -> int:
        """Number of distinct word grams and character windows held."""
        return self._grams.num_hashes + self._windows.num_hashes

    def reason_to_drop(self, text: str) -> str | None:
        """Return which rule a text breaks, None when it is clean."""
        if self._definition and self._definition.search(text):
            return "benchmark entry point"
        if self._windows.contains_any(_char_window_hashes(text)):
            return "benchmark characters"
        if self._grams.contains_any(_word_gram_hashes(text)):
            return "benchmark words"
        return None


def load_filter(folder: Path) -> ContaminationFilter:
    """Build the filter from a folder of `*.jsonl.gz` benchmark tasks.

    Raises:
        FileNotFoundError: the folder holds no such file, so nothing would be excluded.
    """
    paths = sorted(folder.glob("*.jsonl.gz"))
    if not paths:
        raise FileNotFoundError(f"no *.jsonl.gz benchmark file in {folder}")
    tasks = [task for path in paths for task in _read_tasks(path)]
    # The middle is part of neither prompt nor suffix: the joined program closes that gap.
    programs = (t["prompt"] + t["canonical_solution"] + t["suffix"] for t in tasks)
    fields = (task[name] for task in tasks for name in _BENCHMARK_FIELDS)
    return ContaminationFilter([*programs, *fields], (task["entry_point"] for task in tasks))


def _read_tasks(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


class _HashTable:
    """Membership of 64-bit hashes: a bitmap answers most, a sorted array the rest."""

    def __init__(self, arrays: Iterable[U64]) -> None:
        self._sorted = np.unique(np.concatenate([*arrays, np.empty(0, np.uint64)]))
        self._bitmap = np.zeros(1 << _TABLE_BITS, np.bool_)
        self._bitmap[self._sorted >> np.uint64(64 - _TABLE_BITS)] = True

    @property
    def num_hashes(self) -> int:
        return len(self._sorted)

    def contains_any(self, hashes: U64) -> bool:
        candidates = hashes[self._bitmap[hashes >> np.uint64(64 - _TABLE_BITS)]]
        return bool(np.isin(candidates, self._sorted).any()) if len(candidates) else False


def _rolling(values: U64, width: int) -> U64:
    """Hash every window of `width` values: sum of value * base^k mod 2^64, built by doubling."""
    base = np.uint64(0x9E3779B97F4A7C15)
    total: U64 | None = None
    hashes, power, size, covered = values, base, 1, 0
    while size <= width:
        if width & size:
            if total is None:
                total = hashes
            else:
                count = len(values) - covered - size + 1
                total = total[:count] * power + hashes[covered : covered + count]
            covered += size
        hashes = hashes[:-size] * power + hashes[size:]
        power, size = power * power, size * 2
        if len(hashes) == 0 and covered < width:
            return np.empty(0, np.uint64)
    assert total is not None
    return _scramble(total)


def _scramble(hashes: U64) -> U64:
    hashes = (hashes ^ (hashes >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return hashes ^ (hashes >> np.uint64(29))


def _char_window_hashes(text: str) -> U64:
    data = _SPACE.sub(b"", text.encode("utf-8", "replace"))
    if len(data) < NUM_WINDOW_CHARS:
        return np.empty(0, np.uint64)
    with np.errstate(over="ignore"):
        return _rolling(
            np.frombuffer(data, np.uint8).astype(np.uint64) + np.uint64(1), NUM_WINDOW_CHARS
        )


def _word_gram_hashes(text: str) -> U64:
    words = _WORD.findall(text)
    if len(words) < NUM_GRAM_WORDS:
        return np.empty(0, np.uint64)
    values = np.fromiter((hash(word) for word in words), np.int64, len(words)).view(np.uint64)
    with np.errstate(over="ignore"):
        hashes = _rolling(values, NUM_GRAM_WORDS)
    windows = np.lib.stride_tricks.sliding_window_view(values, NUM_GRAM_WORDS)
    num_distinct = 1 + (np.diff(np.sort(windows, axis=1), axis=1) != 0).sum(axis=1)
    return hashes[num_distinct >= _MIN_DISTINCT_WORDS]
