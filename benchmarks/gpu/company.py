"""A stage of its own: what a denoising step of several requests costs, beside that of one.

Each request has a slot and a prompt of its own. `benchmarks.cluster` sizes fleets with these
numbers. Knows no kernel.
"""

from collections.abc import Sequence

import torch

from benchmarks.gpu.full_model import built, prompts_of
from benchmarks.gpu.kernel_choice import using
from benchmarks.gpu.run import Data, Run
from benchmarks.gpu.timing import clocked_ms
from benchmarks.gpu.turns import spread
from infill_engine.canvas import Canvas
from infill_engine.forward import Forward, Prediction, Wanted
from infill_engine.forward.choice import choose_forward
from infill_engine.forward.together import Together
from infill_engine.random_source import SeededRandom


def steps_together(run: Run, data: Data) -> None:
    """Steps of one to `Scale.batches` whole canvases, in the fastest format that is exact enough.

    That is fp8: int4 is for GPUs that have room for nothing else.
    """
    with using("auto"), torch.no_grad():
        model = built(run, data, "fp8")
        length, prompt = model.config.canvas_length, prompts_of(run)[run.scale.main_prefix]
        first = choose_forward(model, len(prompt) + 2 * length, (), lambda _what, _share: None)
        together = Together()
        forwards: list[Forward] = [first]
        data["steps"] = steps = []
        for num_canvases in (1, *run.scale.batches):
            while len(forwards) < num_canvases:
                forwards.append(forwards[-1].sibling())
            for idx, forward in enumerate(forwards):
                if not forward.cache.num_tokens:
                    _prefill(forward, [*prompt[idx:], *prompt[:idx]])
            wishes = [_wish(run, forward, idx) for idx, forward in enumerate(forwards)]

            def step(wishes: Sequence[tuple[Forward, Wanted]] = wishes) -> None:
                for answer, (_, wanted) in zip(together.predict(wishes), wishes, strict=True):
                    if not isinstance(answer, Prediction):
                        raise answer
                    wanted.canvas.soft_embeddings = answer.soft_embeddings

            first_s = clocked_ms(step, run.scale.device) / 1000  # proves, compiles and captures
            taken = [clocked_ms(step, run.scale.device) for _ in range(run.scale.num_repeats)]
            steps.append(
                {
                    "num_canvases": num_canvases,
                    "first_s": round(first_s, 2),
                    "is_shared": bool(together.shares_passes),
                    "step_ms": spread(taken),
                }
            )
            run.log(f"{num_canvases} canvases: {steps[-1]['step_ms']['p50']} ms")
            run.write()
            if not run.has_time():
                data.update(status="out of time", why=f"stopped after {num_canvases} canvases")
                return


def _prefill(forward: Forward, token_ids: Sequence[int]) -> None:
    for begin in range(0, len(token_ids), forward.prefill_chunk_tokens):
        forward.prefill(token_ids[begin : begin + forward.prefill_chunk_tokens])


def _wish(run: Run, forward: Forward, idx: int) -> tuple[Forward, Wanted]:
    config, device = run.scale.config, forward.canvas_device
    random = SeededRandom(run.seed + idx, config.vocab_size, device)
    shape = (1, config.canvas_length)
    generator = torch.Generator().manual_seed(run.seed + idx)
    ids = torch.randint(config.vocab_size, shape, generator=generator).to(device)
    canvas = Canvas(ids, torch.zeros_like(ids, dtype=torch.bool))
    return forward, Wanted(canvas, 1.0, random, None)
