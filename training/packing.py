"""Command line that packs a corpus split into shards: `python -m training.packing`.

Only wires corpus, tokenizer, examples and shards together. Each shard has its own seed, so several
processes, or machines, may write different shards of one split.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
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


@dataclass(frozen=True, slots=True)
class ShardJob:
    """One shard to write: its folder, how many examples, and the seed that makes it."""

    folder: Path
    num_examples: int
    seed: int
    meta: dict[str, object]


def jobs(
    out: Path, split: str, num_examples: int, first_shard: int, budgets: dict[int, float]
) -> list[ShardJob]:
    """Cut so many examples into shards; the same number of a shard always means the same seed."""
    found: list[ShardJob] = []
    for shard_idx, begin in enumerate(range(0, num_examples, _EXAMPLES_PER_SHARD), first_shard):
        seed = _SPLIT_SEEDS[split] + shard_idx
        meta: dict[str, object] = {"split": split, "seed": seed, "budgets": budgets}
        count = min(_EXAMPLES_PER_SHARD, num_examples - begin)
        found.append(ShardJob(out / f"{split}-{shard_idx:05d}", count, seed, meta))
    return found


def _write(maker: ExampleMaker, job: ShardJob) -> str:
    began = time.monotonic()
    write_shard(job.folder, maker.examples(job.num_examples, job.seed), job.meta)
    return f"{job.folder.name}: {job.num_examples} in {time.monotonic() - began:.0f} s"


_maker_of_process: ExampleMaker | None = None


def _write_in_child(job: ShardJob) -> str:
    assert _maker_of_process is not None, "set before the processes were forked"
    return _write(_maker_of_process, job)


def write_all(maker: ExampleMaker, found: list[ShardJob], num_processes: int) -> Iterator[str]:
    """Write every shard and yield a line for each; several processes share the corpus in memory."""
    if num_processes == 1:
        yield from (_write(maker, job) for job in found)
        return
    global _maker_of_process
    _maker_of_process = maker
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads do not survive a fork
    with get_context("fork").Pool(num_processes) as pool:
        yield from pool.imap_unordered(_write_in_child, found)


def main() -> None:
    """Parse the flags and write the shards."""
    parser = argparse.ArgumentParser(prog="python -m training.packing", description=__doc__)
    add = parser.add_argument
    add("--corpus", type=Path, default=Path(".training/corpus"))
    add("--out", type=Path, default=Path(".training/packed"))
    add("--tokenizer", type=Path, default=Path("infill_engine/embedded/tokenizer.json"))
    add("--split", choices=list(_SPLIT_SEEDS), default="train")
    add("--examples", type=int, default=150_000)
    add("--first-shard", type=int, default=0, help="number of the first shard")
    add("--processes", type=int, default=1)
    add("--max-context-tokens", type=int, default=512)
    add("--budgets", default="96:40,160:30,256:20,512:10", help="tokens:weight,...")
    flags = parser.parse_args()
    mix = SpanMix() if flags.split == "train" else EVALUATION_MIX
    budgets = parse_budgets(flags.budgets, flags.max_context_tokens)
    settings = ExampleSettings(budgets=budgets, mix=mix)
    tokenizer = Tokenizer.from_file(str(flags.tokenizer))
    maker = ExampleMaker(read_corpus(flags.corpus / f"{flags.split}.jsonl"), tokenizer, settings)
    found = jobs(flags.out, flags.split, flags.examples, flags.first_shard, budgets)
    for line in write_all(maker, found, flags.processes):
        print(line, flush=True)


if __name__ == "__main__":
    main()
