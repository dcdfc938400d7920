"""Shards of packed examples: writing them, and reading them as padded batches.

A shard is a folder of flat arrays with offsets (`context.npy`, `context_offsets.npy`,
`middle.npy`, `middle_offsets.npy`), one number per example (`kind.npy`, `language.npy`,
`budget.npy`, `is_healed.npy`) and `meta.json`. Knows nothing of text, tokenizers or models.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.examples import LANGUAGES, Example

I32 = NDArray[np.int32]
_BATCHES_PER_POOL = 64  # examples are sorted by length within this many shuffled batches


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded examples; B of them, the longest context T and middle M tokens long.

    Attributes:
        context: [B, T] int32, left-aligned, padded with 0.
        context_lengths: [B] int32.
        middle: [B, M] int32, left-aligned, ends with the end mark, padded with 0.
        middle_lengths: [B] int32, the end mark included.
        kind: [B] int32, a SpanKind.
        language: [B] int32, an index into LANGUAGES.
        example_idx: [B] int32, position in the reader, for reports.
    """

    context: I32
    context_lengths: I32
    middle: I32
    middle_lengths: I32
    kind: I32
    language: I32
    example_idx: I32


def write_shard(folder: Path, examples: Iterable[Example], meta: dict[str, object]) -> int:
    """Write one shard and return its number of examples."""
    rows = list(examples)
    folder.mkdir(parents=True, exist_ok=True)
    for name, arrays in (
        ("context", [row.context for row in rows]),
        ("middle", [row.middle for row in rows]),
    ):
        np.save(folder / f"{name}.npy", np.concatenate(arrays))
        offsets = np.cumsum([0, *(len(array) for array in arrays)]).astype(np.uint32)
        np.save(folder / f"{name}_offsets.npy", offsets)
    np.save(folder / "kind.npy", np.array([row.kind for row in rows], np.uint8))
    np.save(
        folder / "language.npy", np.array([LANGUAGES.index(r.language) for r in rows], np.uint8)
    )
    np.save(folder / "budget.npy", np.array([row.budget for row in rows], np.uint16))
    np.save(folder / "is_healed.npy", np.array([row.is_healed for row in rows], np.bool_))
    counts = {
        "num_examples": len(rows),
        "context_tokens": sum(len(row.context) for row in rows),
        "middle_tokens": sum(len(row.middle) for row in rows),
        "languages": LANGUAGES,
    }
    text = json.dumps({**meta, **counts}, indent=1)
    (folder / "meta.json").write_text(text + "\n", encoding="utf-8")
    return len(rows)


class ShardReader:
    """All shards of a split as one sequence of examples, with a resumable batch iterator.

    The order of batches depends only on the seed, the epoch and the batch size, so a trainer that
    stores (epoch, batch_idx) can go on exactly where it stopped.
    """

    def __init__(self, root: Path, split: str) -> None:
        """Open the folders `root/split-*`.

        Raises:
            FileNotFoundError: there is none.
        """
        folders = sorted(path for path in root.glob(f"{split}-*") if (path / "meta.json").is_file())
        if not folders:
            raise FileNotFoundError(
                f"no shard {split}-* in {root}: run `python -m training.packing`"
            )
        self._context, self._context_offsets = _load_flat(folders, "context")
        self._middle, self._middle_offsets = _load_flat(folders, "middle")
        self.kind = np.concatenate([np.load(folder / "kind.npy") for folder in folders])
        self.language = np.concatenate([np.load(folder / "language.npy") for folder in folders])
        self.budget = np.concatenate([np.load(folder / "budget.npy") for folder in folders])
        self.is_healed = np.concatenate([np.load(folder / "is_healed.npy") for folder in folders])

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def context_lengths(self) -> NDArray[np.int64]:
        """[N] number of context tokens of each example."""
        return np.diff(self._context_offsets)

    @property
    def middle_lengths(self) -> NDArray[np.int64]:
        """[N] number of middle tokens of each example, the end mark included."""
        return np.diff(self._middle_offsets)

    def example(self, idx: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Return (context, middle) of one example, unpadded."""
        context = self._context[self._context_offsets[idx] : self._context_offsets[idx + 1]]
        return context, self._middle[self._middle_offsets[idx] : self._middle_offsets[idx + 1]]

    def batch(self, example_idx: NDArray[np.integer]) -> Batch:
        """Pad the given examples into one batch."""
        rows = [self.example(int(idx)) for idx in example_idx]
        context, context_lengths = _pad([row[0] for row in rows])
        middle, middle_lengths = _pad([row[1] for row in rows])
        kind, language = self.kind[example_idx], self.language[example_idx]
        return Batch(
            context,
            context_lengths,
            middle,
            middle_lengths,
            kind.astype(np.int32),
            language.astype(np.int32),
            np.asarray(example_idx, np.int32),
        )

    def num_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch; an incomplete last batch is left out."""
        return len(self) // batch_size

    def epoch(
        self, batch_size: int, seed: int, epoch: int = 0, start_batch: int = 0, max_context: int = 0
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch in a seeded order, each of similar context lengths.

        Args:
            batch_size: examples per batch.
            seed: with `epoch`, determines the order completely.
            epoch: number of the pass over the data.
            start_batch: batches to skip, to resume.
            max_context: when positive, only examples whose budget is at most this many tokens.
        """
        rng = np.random.default_rng([seed, epoch])
        chosen = np.flatnonzero(self.budget <= max_context) if max_context else np.arange(len(self))
        order = rng.permutation(chosen)
        lengths = self.context_lengths
        batches: list[NDArray[np.int64]] = []
        pool_size = batch_size * _BATCHES_PER_POOL
        for start in range(0, len(order), pool_size):
            pool = order[start : start + pool_size]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            num_full = len(pool) // batch_size
            batches += list(pool[: num_full * batch_size].reshape(num_full, batch_size))
        for idx in rng.permutation(len(batches))[start_batch:]:
            yield self.batch(batches[idx])


def _load_flat(folders: list[Path], name: str) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Concatenate a flat array over shards; the offsets are shifted to match."""
    values: list[NDArray[np.uint16]] = []
    offsets: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
    num_values = 0
    for folder in folders:
        values.append(np.load(folder / f"{name}.npy"))
        offsets.append(np.load(folder / f"{name}_offsets.npy").astype(np.int64)[1:] + num_values)
        num_values += len(values[-1])
    return np.concatenate(values), np.concatenate(offsets)


def _pad(rows: list[NDArray[np.uint16]]) -> tuple[I32, I32]:
    lengths = np.array([len(row) for row in rows], np.int32)
    padded = np.zeros((len(rows), int(lengths.max())), np.int32)
    for idx, row in enumerate(rows):
        padded[idx, : len(row)] = row
    return padded, lengths
