"""Fourth stage, in parts: the full-size model with random weights, alone and beside transformers.

Each part builds the model anew from the same seed and lets it go, so that one set of weights is in
memory at a time. The part that compiles transformers comes last, as it may take all the time left.
Knows no kernel.
"""

import functools
import importlib.util
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.ceilings import roof_of
from benchmarks.gpu.floors import (
    Part,
    WeightFormat,
    floor_ms,
    prefill_parts,
    step_parts,
    total_bytes,
    total_flop,
)
from benchmarks.gpu.kernel_choice import using
from benchmarks.gpu.own_model import OwnModel
from benchmarks.gpu.random_model import SkewedRouters, build_model, count_experts_hit
from benchmarks.gpu.run import Data, Run
from benchmarks.gpu.scenarios import MAIN, Scenario, scenarios
from benchmarks.gpu.timing import clocked_ms
from benchmarks.gpu.transformers_model import TransformersModel
from benchmarks.gpu.turns import Turn, own_turn, spread, take_turns, transformers_turn
from infill_engine.model.diffusion_gemma import DiffusionGemma

Stage = Callable[[Run, Data], None]

NO_TRANSFORMERS = "transformers is not installed here, so nothing is measured beside it"


def _as_engine(stage: Stage) -> Stage:
    """The stage with kernels chosen as the engine does, once for all of it."""

    @functools.wraps(stage)
    def measure(run: Run, data: Data) -> None:
        with using("auto"):
            stage(run, data)

    return measure


def own_stage(weight_format: WeightFormat) -> Stage:
    """The own model in one quantised format, alone."""

    @_as_engine
    def measure(run: Run, data: Data) -> None:
        model = built(run, data, weight_format)
        own = _own(run, data, model)
        # Unpacking at every call, a CPU takes its time: a toy does with two.
        wanted = scenarios(run.scale)[: 2 if run.scale.is_toy else None]
        _measure(run, data, weight_format, model, own, None, wanted)

    return measure


@_as_engine
def beside_eager(run: Run, data: Data) -> None:
    """The own model in bf16 and transformers without compiling, in turns."""
    model = built(run, data, "bf16")
    own, peer = _own(run, data, model), None
    if importlib.util.find_spec("transformers") is None:
        data["note"] = NO_TRANSFORMERS
    else:
        peer = TransformersModel(model, is_compiled=False)
        data["experts_of_transformers"] = peer.experts
        data["agreement"] = _agreement(run, own, peer)
        run.log(f"agreement: {data['agreement']}")
    _measure(run, data, "bf16", model, own, peer, scenarios(run.scale))


@_as_engine
def beside_compiled(run: Run, data: Data) -> None:
    """The own model in bf16 and transformers compiled over a static cache, in turns."""
    if importlib.util.find_spec("transformers") is None:
        data.update(status="skipped", why=NO_TRANSFORMERS)
        return
    if not run.scale.has_compiled_peer:
        data.update(status="skipped", why="compiling takes minutes; not at this size")
        return
    model = built(run, data, "bf16")
    own, peer = _own(run, data, model), TransformersModel(model, is_compiled=True)
    # One shape: each other one compiles again.
    wanted = [s for s in scenarios(run.scale) if s.name == MAIN]
    _measure(run, data, "bf16", model, own, peer, wanted)


def prompts_of(run: Run) -> dict[int, list[int]]:
    """Random token ids, one prompt for each prefix length."""
    return {n: _random_ids(run, (n,)).tolist() for n in run.scale.prefixes}


def _random_ids(run: Run, shape: tuple[int, ...]) -> Tensor:
    highest = run.scale.config.vocab_size - 3  # transformers takes the last ids for images
    generator = torch.Generator().manual_seed(run.seed + shape[-1])
    return torch.randint(highest, shape, generator=generator)


def built(run: Run, data: Data, weight_format: WeightFormat) -> DiffusionGemma:
    """The model, and in `data` how long that took."""
    models: list[DiffusionGemma] = []

    def build() -> None:
        models.append(build_model(run.scale, run.seed, weight_format))

    data["weight_format"] = weight_format
    data["build_s"] = round(clocked_ms(build, run.scale.device) / 1000, 2)
    return models[0]


def _own(run: Run, data: Data, model: DiffusionGemma) -> OwnModel:
    capacity = max(run.scale.prefixes) + 2 * run.scale.config.canvas_length
    own = OwnModel(model, run.seed, capacity)
    data["own"] = own.describe()
    run.log(f"own: {data['own']}")
    return own


def _measure(
    run: Run,
    data: Data,
    weight_format: WeightFormat,
    model: DiffusionGemma,
    own: OwnModel,
    peer: TransformersModel | None,
    wanted: list[Scenario],
) -> None:
    prompts = prompts_of(run)
    turns: dict[str, Turn] = {"own": own_turn(own, prompts)}
    if peer is not None:
        name = "transformers compiled" if peer.is_compiled else "transformers eager"
        turns[name] = transformers_turn(peer, prompts)
    done: dict[str, Any] = {}
    data["scenarios"] = done
    for scenario in wanted:
        if not run.has_time():
            data.update(status="out of time", why=f"stopped before: {scenario.name}")
            return
        done[scenario.name] = _scenario(run, weight_format, model, turns, scenario)
        if scenario.name == MAIN:
            _prefills(run, done[MAIN], weight_format, own, peer, prompts)
        run.write()


def _scenario(
    run: Run,
    weight_format: WeightFormat,
    model: DiffusionGemma,
    turns: dict[str, Turn],
    scenario: Scenario,
) -> Data:
    config = run.scale.config
    # What is typed is prefilled by the own model alone, so nothing else is in the time.
    taking = {n: t for n, t in turns.items() if n == "own" or not scenario.num_typed}
    router = SkewedRouters(model, run.seed) if scenario.router == "skewed" else nullcontext()
    with router:
        runs = take_turns(run, taking, scenario)
        shape = (scenario.batch, scenario.num_canvas)
        canvas = _random_ids(run, shape).to(run.scale.device)
        num_hit = count_experts_hit(model, prompts_of(run)[scenario.num_prefix], canvas)
    prefix = scenario.num_prefix + scenario.num_typed
    parts = step_parts(config, weight_format, scenario.num_canvas, prefix, scenario.batch, num_hit)
    return {
        **scenario._asdict(),
        "experts_hit": num_hit,
        "step": _floor(run, parts),
        "runs": runs,
    }


def _floor(run: Run, parts: list[Part]) -> Data:
    roof = roof_of(run)
    return {
        "bytes": total_bytes(parts),
        "flop": total_flop(parts),
        "floor_ms": None if roof is None else floor_ms(parts, roof),
    }


def _prefills(
    run: Run,
    data: Data,
    weight_format: WeightFormat,
    own: OwnModel,
    peer: TransformersModel | None,
    prompts: dict[int, list[int]],
) -> None:
    """Add the prefill of the main prompt, from nothing, to a scenario's data."""
    prompt = prompts[run.scale.main_prefix]
    data["prefill"] = _floor(run, prefill_parts(run.scale.config, weight_format, len(prompt)))

    def prefill() -> None:
        own.truncate(0)
        own.prefill(prompt)

    works = {"own": prefill}
    if peer is not None and not peer.is_compiled:
        works["transformers eager"] = lambda: peer.prefill(prompt)
    for name, work in works.items():
        if "why" in data["runs"][name]:
            continue
        work()
        taken = [clocked_ms(work, run.scale.device) for _ in range(run.scale.num_rounds)]
        data["runs"][name]["prefill_ms"] = spread(taken)


def _agreement(run: Run, own: OwnModel, peer: TransformersModel) -> Data:
    """How close both models' logits are, on one canvas; random weights route on a knife's edge."""
    prompt = prompts_of(run)[run.scale.prefixes[0]]
    canvas = _random_ids(run, (1, run.scale.config.canvas_length)).to(run.scale.device)
    got = own.logits(prompt, canvas)
    want = peer.logits(prompt, canvas)
    return {
        "relative_error": float((got - want).norm() / want.norm()),
        "cosine": float(torch.cosine_similarity(got.flatten(), want.flatten(), dim=0)),
        "same_argmax": float((got.argmax(-1) == want.argmax(-1)).float().mean()),
    }
