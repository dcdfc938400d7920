"""The model that ships, in its default numbers: in company it says what it says alone."""

from dataclasses import replace

import pytest

from infill_engine.api import InfillRequest, InfillResult, InfillUpdate, Mode
from infill_engine.batching.latency_guard import LatencyGuard
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine

NUM_REQUESTS = 4
ADD = "def add(left, right):\n    return left + right\n\n\ndef subtract(left, right):\n    "
SHELL = 'set -eu\nfor name in "$@"; do\n  echo "$name"\ndone\nif [ -f "$1" ]; then\n  '
READER = "class Reader {\n  constructor(path) { this.path = path; }\n  read() {\n    "
TEXTS: tuple[tuple[str, str, str, Mode], ...] = (
    ("python", ADD, "\n", "line"),
    ("shellscript", SHELL, "\nfi\n", "block"),
    ("javascript", READER, "\n  }\n}\n", "block"),
    ("go", "package main\n\nfunc max(a, b int) int {\n\tif a > b {\n\t\t", "\n\t}\n}\n", "line"),
)
REQUESTS = [
    InfillRequest(prefix, suffix, language, f"a.{language}", mode=mode)
    for language, prefix, suffix, mode in TEXTS
]


class Permissive(LatencyGuard):
    """Lets everybody in: here company is tested, not whether it pays."""

    def admits(self, num_rows: int) -> bool:
        return num_rows < NUM_REQUESTS


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(EngineConfig(max_batch=NUM_REQUESTS, kv_slots=NUM_REQUESTS))


@pytest.mark.parametrize("first", range(NUM_REQUESTS))
@pytest.mark.parametrize("num_rounds", [0, 2])
def test_says_what_it_says_alone(engine: Engine, first: int, num_rounds: int) -> None:
    requests = [*REQUESTS[first:], *REQUESTS[:first]]
    events: list[list[InfillUpdate | InfillResult | Exception]] = [[] for _ in requests]
    engine.forget_prompts()
    batch = engine.open_batch(guard=Permissive(NUM_REQUESTS))
    for request, told in zip(requests, events, strict=True):
        batch.admit(request, None, told.append)
        for _ in range(num_rounds):
            batch.advance()
    while batch.num_rows:
        batch.advance()
    for request, told in zip(requests, events, strict=True):
        engine.forget_prompts()
        *updates, result = engine.stream(request)
        assert told[:-1] == updates
        assert without_times(told[-1]) == without_times(result)


def without_times(end: object) -> InfillResult:
    assert isinstance(end, InfillResult), end
    return replace(end, timings_ms={})
