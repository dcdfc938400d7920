"""A few gaps of our own in the format of HumanEval-Infilling (none of its text)."""

import gzip
import json
from pathlib import Path

from benchmarks.infilling_tasks import SPLITS, InfillingTask

_CHECKS = {
    "double": "def check(candidate):\n    assert candidate(3) == 6\n",
    "largest": (
        "def check(candidate):\n"
        "    assert candidate([1, 5, 2]) == 5\n"
        "    assert candidate([-3]) == -3\n"
    ),
    "shout": "def check(candidate):\n    assert candidate('äh') == 'ÄH!'\n",
}
TOY_TASKS = [
    InfillingTask(
        "Toy/0/L0",
        "double",
        "def double(number):\n",
        "",
        "    return number + number\n",
        _CHECKS["double"],
    ),
    InfillingTask(
        "Toy/1/L0",
        "largest",
        "from typing import List\n\n\ndef largest(numbers: List[int]) -> int:\n",
        "    for number in numbers:\n        found = max(found, number)\n    return found\n",
        "    found = numbers[0]\n",
        _CHECKS["largest"],
    ),
    InfillingTask(
        "Toy/1/L1",
        "largest",
        "def largest(numbers):\n    found = numbers[0]\n    for number in numbers:\n",
        "    return found\n",
        "        found = max(found, number)\n",
        _CHECKS["largest"],
    ),
    # What an empty gap leaves here is right: the floor is not zero.
    InfillingTask(
        "Toy/2/L0",
        "shout",
        "def shout(text):\n",
        "    return text.upper() + '!'\n",
        "    assert text\n",
        _CHECKS["shout"],
    ),
]


def write_toy_split(folder: Path, tasks: list[InfillingTask] = TOY_TASKS) -> None:
    """Write `tasks` as if they were the published single-line split."""
    with gzip.open(folder / SPLITS["single-line"].file_name, "wt", encoding="utf-8") as file:
        for task in tasks:
            values = {name: getattr(task, name) for name in InfillingTask.__slots__}
            file.write(json.dumps(values) + "\n")
