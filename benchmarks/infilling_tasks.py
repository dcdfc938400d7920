"""HumanEval-Infilling's tasks: where they lie, what they hold, which program judges an answer.

The format of arXiv:2207.14255, as published in the repository openai/human-eval-infilling (MIT).
Knows nothing of engines or of running programs.
"""

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infill_engine.api import ConfigError

SplitName = Literal["single-line", "random-span-light"]


@dataclass(frozen=True, slots=True)
class Split:
    """A part of the benchmark.

    Attributes:
        file_name: its file's name as published.
        max_new_tokens: bound for a completion; above the longest solution (50 and 119 tokens of
            the embedded model's vocabulary).
        published_floor: pass@1 of empty completions over the whole split.
    """

    file_name: str
    max_new_tokens: int
    published_floor: float


SPLITS: dict[SplitName, Split] = {
    "single-line": Split("HumanEval-SingleLineInfilling.jsonl.gz", 64, 0.0261),
    "random-span-light": Split("HumanEval-RandomSpanInfillingLight.jsonl.gz", 128, 0.0),
}
_SOURCE = "the repository openai/human-eval-infilling on GitHub, folder data"


@dataclass(frozen=True, slots=True)
class InfillingTask:
    """A gap in a program, what stood there, and the test of the whole."""

    task_id: str
    entry_point: str
    prompt: str
    suffix: str
    canonical_solution: str
    test: str

    def program(self, completion: str) -> str:
        """Return the program that passes when `completion` does."""
        return f"{self.prompt}{completion}{self.suffix}\n{self.test}\ncheck({self.entry_point})"


def read_tasks(folder: Path, split: Split, limit: int | None = None) -> list[InfillingTask]:
    """Read the tasks of a split from its file in `folder`.

    Args:
        folder: where the published files lie.
        split: which file.
        limit: at most this many tasks, spread evenly over the file, since neighbors are gaps in
            the same program; None reads all.

    Raises:
        ConfigError: the file is missing or is not what was published.
    """
    path = folder / split.file_name
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            tasks = [_parse(line) for line in lines if line.strip()]
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; get {split.file_name} from {_SOURCE}.") from None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); get it anew from {_SOURCE}.") from None
    if limit is None or limit >= len(tasks):
        return tasks
    return [tasks[idx * len(tasks) // limit] for idx in range(limit)]


def _parse(line: str) -> InfillingTask:
    values = json.loads(line)
    return InfillingTask(**{name: values[name] for name in InfillingTask.__slots__})
