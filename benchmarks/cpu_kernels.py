"""Times the operations of a denoising step on this CPU: `python -m benchmarks.cpu_kernels`.

The mixture of experts beside a dense MLP of the size that each row uses of it, in every number
format, and one whole step of the embedded model with its parts. Formats take turns, so that a noisy
moment hits all. The last line is one JSON object. Knows nothing of text or of quality.
"""

import argparse
import json
import time
from collections.abc import Callable

import torch
from infill_kernels import Int8Rows, int8_linear, quantize_rows, run_experts, run_int8_experts
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from benchmarks.distribution import Distribution
from benchmarks.machine import describe_machine
from infill_engine.checkpoint import load_model
from infill_engine.config import EngineConfig
from infill_engine.kv_cache import KVCache
from infill_engine.model.config import ModelConfig
from infill_engine.model.diffusion_gemma import DiffusionGemma

FORMATS = ("float32", "bfloat16", "int8")
_PROMPT_TOKENS = 240
_NUM_WARMUP = 5

Runs = dict[str, Callable[[], object]]


def medians_ms(runs: Runs, num_repeats: int) -> dict[str, float]:
    """Median milliseconds of each, taken in turns."""
    times_ms: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(_NUM_WARMUP + num_repeats):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            if repeat >= _NUM_WARMUP:
                times_ms[name].append(1000 * (time.perf_counter() - begin))
    return {name: round(Distribution.of(taken).p50, 4) for name, taken in times_ms.items()}


def moe_runs(config: ModelConfig, num_rows: int) -> Runs:
    """Experts and a dense MLP of their active size, on random weights and rows."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * shape[-1] ** -0.5

    size, inner = config.hidden_size, config.moe_intermediate_size
    num_experts, num_chosen = config.num_experts, config.num_experts_per_token
    gate_up, down = normal(num_experts, 2 * inner, size), normal(num_experts, size, inner)
    dense_up, dense_down = normal(2 * num_chosen * inner, size), normal(size, num_chosen * inner)
    x = normal(num_rows, size) * size**0.5
    weights, expert_idx = normal(num_rows, num_experts).softmax(dim=-1).topk(num_chosen)
    runs: Runs = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        rows, *experts = (tensor.to(dtype) for tensor in (x, gate_up, down))
        dense = (dense_up.to(dtype), dense_down.to(dtype))
        runs[f"experts {name}"] = _bound(run_experts, rows, *experts, weights, expert_idx)
        runs[f"dense {name}"] = _bound(_dense, rows, *dense)
    experts8 = (quantize_rows(gate_up), quantize_rows(down))
    runs["experts int8"] = _bound(run_int8_experts, x, *experts8, weights, expert_idx)
    runs["dense int8"] = _bound(_dense_int8, x, quantize_rows(dense_up), quantize_rows(dense_down))
    return runs


def step_runs(model: DiffusionGemma, num_positions: int) -> Runs:
    """One denoising step behind a prompt, and its parts."""
    cache = KVCache(model.config, model.dtype, torch.device("cpu"))
    prompt = list(range(100, 100 + _PROMPT_TOKENS))
    cache.expect(prompt, num_positions)
    model.prefill(torch.tensor([prompt]), cache)
    canvas = torch.arange(200, 200 + num_positions).unsqueeze(0)
    hidden = model.denoise(canvas, cache)
    shares = model.logits(hidden).softmax(dim=-1)
    beliefs = model.soft_embed(shares)

    def step() -> None:
        found = model.logits(model.denoise(canvas, cache, beliefs)).softmax(dim=-1)
        model.soft_embed(found)

    return {
        "step": step,
        "decoder": lambda: model.denoise(canvas, cache, beliefs),
        "head": lambda: model.logits(hidden),
        "self-conditioning": lambda: model.soft_embed(shares),
    }


def _dense(x: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
    gate, up = F.linear(x, gate_up).chunk(2, dim=-1)
    return F.linear(F.gelu(gate, approximate="tanh") * up, down)


def _dense_int8(x: Tensor, gate_up: Int8Rows, down: Int8Rows) -> Tensor:
    gate, up = int8_linear(x, gate_up).chunk(2, dim=-1)
    return int8_linear(F.gelu(gate, approximate="tanh") * up, down)


def _bound(function: Callable[..., object], *arguments: object) -> Callable[[], object]:
    return lambda: function(*arguments)


def main() -> None:
    """Measure, print the tables, then the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu_kernels", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 16, 32, 64, 256])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--threads", type=int, help="default: as the engine chooses")
    flags = parser.parse_args()
    machine = describe_machine()
    engine_config = EngineConfig(device="cpu", num_threads=flags.threads)
    torch.set_num_threads(engine_config.chosen_num_threads())
    models = {name: _load(engine_config, name) for name in FORMATS}
    config = models["float32"].config
    with torch.inference_mode():
        moe = {rows: medians_ms(moe_runs(config, rows), flags.repeats) for rows in flags.rows}
        steps: dict[int, dict[str, float]] = {}
        for num_positions in (16, 32):
            runs = {
                f"{part} {name}": run
                for name, model in models.items()
                for part, run in step_runs(model, num_positions).items()
            }
            steps[num_positions] = medians_ms(runs, max(1, flags.repeats // 4))
    console = Console(width=100)
    console.print(f"{machine}\n{torch.get_num_threads()} threads; milliseconds, medians")
    console.print(
        _table("experts beside a dense MLP of their active size", moe, ("experts", "dense"))
    )
    parts = ("step", "decoder", "head", "self-conditioning")
    console.print(_table(f"embedded model behind {_PROMPT_TOKENS} tokens", steps, parts))
    facts = {"machine": machine.to_dict(), "threads": torch.get_num_threads()}
    print(json.dumps({**facts, "moe_ms": moe, "step_ms": steps}))


def _load(config: EngineConfig, name: str) -> DiffusionGemma:
    dtype = torch.bfloat16 if name == "bfloat16" else torch.float32
    model = load_model(config.folder, torch.device("cpu"), dtype, has_int8_weights=name == "int8")
    return model.requires_grad_(False)


def _table(title: str, found: dict[int, dict[str, float]], parts: tuple[str, ...]) -> Table:
    table = Table("", "rows", *FORMATS, title=title)
    for part in parts:
        for num_rows, times_ms in found.items():
            columns = (f"{times_ms[f'{part} {name}']:.3f}" for name in FORMATS)
            table.add_row(part, str(num_rows), *columns)
    return table


if __name__ == "__main__":
    main()
