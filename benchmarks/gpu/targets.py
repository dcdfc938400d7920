"""What was set out to be reached on an H200, and whether a run reached it.

Reads results only. The targets hold for an H200; beside another card they are for orientation.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.gpu.scenarios import KEYSTROKE, MAIN


class Target(NamedTuple):
    """One line of the table; `reached` finds the number in the results, None if not measured."""

    name: str
    at_least: float
    aim: float
    unit: str
    is_upper_limit: bool  # smaller is better


TARGETS = {
    "bf16_step": Target("bf16 decoder step (floor 13.0 ms)", 17.5, 14.5, "ms", True),
    "fp8_step": Target("fp8 step (floor 7.2 ms)", 10.5, 8.3, "ms", True),
    "int4_step": Target("int4 step (floor 5.2 ms)", 9.0, 6.2, "ms", True),
    "bf16_tokens": Target("tokens/s at 16 steps, bf16", 850, 1020, "tokens/s", False),
    "fp8_tokens": Target("tokens/s at 16 steps, fp8", 1400, 1800, "tokens/s", False),
    "int4_tokens": Target("tokens/s at 16 steps, int4", 1700, 2300, "tokens/s", False),
    "over_eager": Target("bf16 step against transformers eager", 2.0, 2.5, "x", False),
    "over_compiled": Target("bf16 step against transformers compiled", 1.25, 1.5, "x", False),
    "quantised_over_best": Target(
        "our fp8 or int4 step against the best transformers bf16 step", 2.0, 3.0, "x", False
    ),
    "prefill": Target("prefill of 1k tokens, bf16 (floor 15.3 ms)", 28.0, 20.0, "ms", True),
    "keystroke": Target(
        "one keystroke more: prefill of 4 + 8 steps at canvas 64, fp8", 100.0, 70.0, "ms", True
    ),
}


def reached(stages: Mapping[str, Any]) -> dict[str, float | None]:
    """What a run reached of each target, None where it has no such number."""
    own = {f: stages.get(f"own_{f}", {}) for f in ("fp8", "int4")}
    eager = stages.get("bf16_beside_eager", {})
    compiled = stages.get("bf16_beside_compiled", {})
    steps = {
        "bf16": _p50(eager, MAIN, "own", "step_ms"),
        **{f: _p50(stage, MAIN, "own", "step_ms") for f, stage in own.items()},
    }
    eager_step = _p50(eager, MAIN, "transformers eager", "step_ms")
    compiled_step = _p50(compiled, MAIN, "transformers compiled", "step_ms")
    peers = [step for step in (eager_step, compiled_step) if step is not None]
    quantised = [step for f in own if (step := steps[f]) is not None]
    return {
        "bf16_step": steps["bf16"],
        "fp8_step": steps["fp8"],
        "int4_step": steps["int4"],
        "bf16_tokens": _number(eager, MAIN, "own", "tokens_per_s"),
        "fp8_tokens": _number(own["fp8"], MAIN, "own", "tokens_per_s"),
        "int4_tokens": _number(own["int4"], MAIN, "own", "tokens_per_s"),
        "over_eager": _ratio(eager_step, steps["bf16"]),
        "over_compiled": _ratio(compiled_step, _p50(compiled, MAIN, "own", "step_ms")),
        "quantised_over_best": _ratio(min(peers, default=None), min(quantised, default=None)),
        "prefill": _p50(eager, MAIN, "own", "prefill_ms"),
        "keystroke": _p50(own["fp8"], KEYSTROKE, "own", "whole_ms"),
    }


def verdict(target: Target, value: float | None) -> str:
    """In a word or two, for the table."""
    if value is None:
        return "not measured"
    for name, bound in (("aim reached", target.aim), ("reached", target.at_least)):
        if value <= bound if target.is_upper_limit else value >= bound:
            return name
    return "missed"


def _run(stage: Mapping[str, Any], scenario: str, runner: str) -> Mapping[str, Any]:
    return stage.get("scenarios", {}).get(scenario, {}).get("runs", {}).get(runner, {})


def _number(stage: Mapping[str, Any], scenario: str, runner: str, key: str) -> float | None:
    return _run(stage, scenario, runner).get(key)


def _p50(stage: Mapping[str, Any], scenario: str, runner: str, key: str) -> float | None:
    found = _run(stage, scenario, runner).get(key)
    return None if found is None else found["p50"]


def _ratio(slow: float | None, fast: float | None) -> float | None:
    return None if slow is None or fast is None else slow / fast
