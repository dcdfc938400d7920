"""Runners take turns at one scenario, so that a noisy moment or a warm chip hits all of them.

Knows how a canvas is timed; nothing of which models there are.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from benchmarks.distribution import Distribution
from benchmarks.gpu.own_model import OwnModel
from benchmarks.gpu.run import Data, Run
from benchmarks.gpu.scenarios import Scenario
from benchmarks.gpu.timing import clocked_ms
from benchmarks.gpu.transformers_model import TransformersModel

CANVASES_A_TURN = 2


class Times(NamedTuple):
    """Clock readings of one turn, in milliseconds; `canvas_ms` is a canvas' steps and commit."""

    step_ms: list[float]
    canvas_ms: list[float]
    commit_ms: list[float]
    whole_ms: list[float]  # what was typed, and the canvas


Turn = Callable[[Scenario], Times]


def own_turn(model: OwnModel, prompts: dict[int, list[int]]) -> Turn:
    """Canvases behind a prompt that stays cached; each is committed, and rolled back again."""

    def take(scenario: Scenario) -> Times:
        times = Times([], [], [], [])
        prompt = prompts[scenario.num_prefix]
        if model.num_tokens != len(prompt):
            model.truncate(0)
            model.prefill(prompt)
        for _ in range(CANVASES_A_TURN):
            begin = last = time.perf_counter()
            if scenario.num_typed:
                model.prefill(prompt[: scenario.num_typed])
                last = time.perf_counter()
            ids: list[int] = []
            for canvas in model.denoise_canvas(
                scenario.num_canvas, scenario.num_steps, scenario.batch
            ):
                now = time.perf_counter()
                times.step_ms.append(1000 * (now - last))
                last, ids = now, canvas[0].tolist()
            if scenario.num_typed:
                times.whole_ms.append(1000 * (last - begin))
            elif scenario.batch == 1:  # of several canvases an engine commits one
                model.prefill(ids)
                now = time.perf_counter()
                times.commit_ms.append(1000 * (now - last))
                times.canvas_ms.append(1000 * (now - begin))
            model.truncate(len(prompt))
        return times

    return take


def transformers_turn(model: TransformersModel, prompts: dict[int, list[int]]) -> Turn:
    """One call of `generate`, prompt and all; the first canvas has no commit to be counted."""

    def take(scenario: Scenario) -> Times:
        clock = model.denoise_canvases(
            prompts[scenario.num_prefix],
            scenario.num_canvas,
            scenario.num_steps,
            scenario.batch,
            CANVASES_A_TURN,
        )
        return Times(clock.step_ms, clock.canvas_ms, [], [])

    return take


def take_turns(run: Run, turns: dict[str, Turn], scenario: Scenario) -> dict[str, Data]:
    """Every runner's times at one scenario, over as many rounds as time allows, at least one.

    A first round of each is not counted: it compiles; its time and peak memory are noted. A runner
    that raises is left out of the rest, with its reason.
    """
    found: dict[str, Data] = {}
    all_times: dict[str, list[Times]] = {}
    for name, turn in turns.items():
        found[name] = _first(run, name, turn, scenario)
        if "why" not in found[name]:
            all_times[name] = []
    for round_idx in range(run.scale.num_rounds):
        if round_idx and not run.has_time():
            break
        for name in list(all_times):
            try:
                all_times[name].append(turns[name](scenario))
            except Exception as error:  # the other runners go on
                found[name]["why"] = run.note_failure(f"{scenario.name}, {name}", error)
                del all_times[name]
    for name, times in all_times.items():
        found[name] |= _summary(scenario, times)
        run.log(f"{scenario.name}, {name}: {_in_words(found[name])}")
    return found


def spread(times_ms: list[float]) -> Data:
    """Quantiles and the raw numbers."""
    summary = Distribution.of(times_ms).to_dict(num_digits=3)
    return {**summary, "raw": [round(taken, 3) for taken in times_ms]}


def _first(run: Run, name: str, turn: Turn, scenario: Scenario) -> Data:
    is_cuda = run.scale.device.type == "cuda"
    if is_cuda:
        torch.cuda.reset_peak_memory_stats()
    data: Data = {}
    try:
        data["first_s"] = round(clocked_ms(lambda: turn(scenario), run.scale.device) / 1000, 2)
    except Exception as error:  # the other runners go on
        data["why"] = run.note_failure(f"{scenario.name}, {name}", error)
    if "why" in data:
        run.free_memory()
    if is_cuda:
        data["peak_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return data


def _summary(scenario: Scenario, times: list[Times]) -> Data:
    data: Data = {}
    for key in Times._fields:
        readings = [taken for turn in times for taken in getattr(turn, key)]
        if readings:
            data[key] = spread(readings)
    if "canvas_ms" in data:
        tokens = scenario.num_canvas * scenario.batch
        data["tokens_per_s"] = round(1000 * tokens / data["canvas_ms"]["p50"], 1)
    return data


def _in_words(data: Data) -> str:
    parts = [f"{key} {data[key]['p50']:.2f}" for key in Times._fields if key in data]
    if "tokens_per_s" in data:
        parts.append(f"{data['tokens_per_s']:.0f} tokens/s")
    return ", ".join(parts)
