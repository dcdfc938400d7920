"""Fourth stage, in parts: the full-size model with random weights, alone and beside transformers.

Each part builds the model anew from the same seed and lets it go, so that one set of weights is in
memory at a time. The part that compiles transformers comes last, as it may take all the time left.
Knows no kernel.
"""

import importlib.util
from collections.abc import Callable
from typing import Any

import torch

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
from benchmarks.gpu.random_model import CountedExperts, SkewedRouters, build_model
from benchmarks.gpu.run import Data, Run
from benchmarks.gpu.scenarios import MAIN, Scenario, scenarios
from benchmarks.gpu.timing import clocked_ms
from benchmarks.gpu.transformers_model import TransformersModel
from benchmarks.gpu.turns import Turn, own_turn, spread, take_turns, transformers_turn
from infill_engine.model.diffusion_gemma import DiffusionGemma

Stage = Callable[[Run, Data], None]

NO_TRANSFORMERS = "transformers is not installed here, so nothing is measured beside it"


def own_stage(weight_format: WeightFormat) -> Stage:
    """The own model in one quantised format, alone."""

    def measure(run: Run, data: Data) -> None:
        model = _built(run, data, weight_format)
        own = OwnModel(model, run.seed)
        _measure(run, data, weight_format, model, own, None, scenarios(run.scale))

    return measure


def beside_eager(run: Run, data: Data) -> None:
    """The own model in bf16 and transformers without compiling, in turns."""
    model = _built(run, data, "bf16")
    own, peer = OwnModel(model, run.seed), None
    if importlib.util.find_spec("transformers") is None:
        data["note"] = NO_TRANSFORMERS
    else:
        peer = TransformersModel(model, is_compiled=False)
        data["experts_of_transformers"] = peer.experts
        data["agreement"] = _agreement(run, own, peer)
        run.log(f"agreement: {data['agreement']}")
    _measure(run, data, "bf16", model, own, peer, scenarios(run.scale))


def beside_compiled(run: Run, data: Data) -> None:
    """The own model in bf16 and transformers compiled over a static cache, in turns."""
    if importlib.util.find_spec("transformers") is None:
        data.update(status="skipped", why=NO_TRANSFORMERS)
        return
    if not run.scale.has_compiled_peer:
        data.update(status="skipped", why="compiling takes minutes; not at this size")
        return
    model = _built(run, data, "bf16")
    own, peer = OwnModel(model, run.seed), TransformersModel(model, is_compiled=True)
    # One shape: each other one compiles again.
    wanted = [s for s in scenarios(run.scale) if s.name == MAIN]
    _measure(run, data, "bf16", model, own, peer, wanted)


def prompts_of(run: Run) -> dict[int, list[int]]:
    """Random token ids, one prompt for each prefix length."""
    generator = torch.Generator().manual_seed(run.seed)
    highest = run.scale.config.vocab_size - 3  # transformers takes the last ids for images
    return {
        num_tokens: torch.randint(highest, (num_tokens,), generator=generator).tolist()
        for num_tokens in run.scale.prefixes
    }


def _built(run: Run, data: Data, weight_format: WeightFormat) -> DiffusionGemma:
    models: list[DiffusionGemma] = []

    def build() -> None:
        models.append(build_model(run.scale, run.seed, weight_format))

    data["weight_format"] = weight_format
    data["build_s"] = round(clocked_ms(build, run.scale.device) / 1000, 2)
    return models[0]


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
    with using("triton"):
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
    if scenario.router == "skewed":
        with SkewedRouters(model, run.seed):
            runs = take_turns(run, taking, scenario)
            num_hit = _experts_hit(model, turns["own"], scenario)
    else:
        runs = take_turns(run, taking, scenario)
        num_hit = _experts_hit(model, turns["own"], scenario)
    prefix = scenario.num_prefix + scenario.num_typed
    parts = step_parts(config, weight_format, scenario.num_canvas, prefix, scenario.batch, num_hit)
    return {
        **scenario._asdict(),
        "experts_hit": num_hit,
        "step": _floor(run, parts),
        "runs": runs,
    }


def _experts_hit(model: DiffusionGemma, turn: Turn, scenario: Scenario) -> float | None:
    """Different experts a layer in one step, counted; None where a graph runs the routers."""
    with CountedExperts(model) as counted:
        turn(scenario._replace(num_steps=1, num_typed=0))
    return counted.mean_hit or None


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
    generator = torch.Generator().manual_seed(run.seed + 1)
    shape = (1, run.scale.config.canvas_length)
    canvas = torch.randint(run.scale.config.vocab_size - 3, shape, generator=generator)
    canvas = canvas.to(run.scale.device)
    with using("triton"):
        got = own.logits(prompt, canvas)
    want = peer.logits(prompt, canvas)
    return {
        "relative_error": float((got - want).norm() / want.norm()),
        "cosine": float(torch.cosine_similarity(got.flatten(), want.flatten(), dim=0)),
        "same_argmax": float((got.argmax(-1) == want.argmax(-1)).float().mean()),
    }
