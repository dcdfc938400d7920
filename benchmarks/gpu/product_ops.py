"""The products of a step as benchmarked operations: experts, router, packed matrices, the head.

Knows sizes; measures nothing.
"""

from collections.abc import Callable
from typing import Any

import torch
from infill_kernels import moe_weights
from infill_kernels.moe_weights import ExpertMatrices
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gpu.floors import WeightFormat
from benchmarks.gpu.op import Arguments, Draw, Op, bytes_of, find

PACKS: dict[WeightFormat, Callable[[Tensor], ExpertMatrices]] = {
    "bf16": moe_weights.dense,
    "fp8": moe_weights.pack_float8,
    "int4": moe_weights.pack_int4,
}
TEMPERATURE = 0.8  # of the head's inputs
_KERNELS = "infill_kernels"


def product_ops(expert_rows: tuple[int, ...]) -> list[Op]:
    """Experts, packed matrices, router, head and soft embedding."""
    found = [_experts(name, expert_rows) for name in PACKS]
    found += [_packed_linear(name) for name in PACKS if name != "bf16"]
    found.append(
        Op(
            "router",
            f"{_KERNELS}.moe:route",
            f"{_KERNELS}.moe:route",
            _route,
            lambda d: 2.0 * d.num_rows * d.config.hidden_size * d.config.num_experts,
            compared=lambda out: [out[0]],  # of equals either expert may be chosen
        )
    )
    found.append(
        Op(
            "head and sampler",
            f"{_KERNELS}.sampler_fused:predict_tokens",
            f"{_KERNELS}.sampler:predict_tokens",
            _predict,
            _table_flop,
            compared=lambda out: [out.entropy, out.logits],
        )
    )
    found.append(
        Op(
            "soft embedding",
            f"{_KERNELS}.soft_embedding:soft_embeddings",
            f"{_KERNELS}.sampler:soft_embeddings",
            _soften,
            _table_flop,
        )
    )
    return found


def grouped_products(
    x: Tensor, gate_up: ExpertMatrices, down: ExpertMatrices, weights: Tensor, expert_idx: Tensor
) -> Callable[[], Tensor]:
    """torch's two grouped products alone, on rows sorted beforehand; for bf16 on a GPU."""
    order = expert_idx.flatten().argsort()
    rows = x[order // expert_idx.shape[1]]
    counts = torch.bincount(expert_idx.flatten(), minlength=gate_up.shape[0])
    ends = counts.cumsum(0).to(torch.int32)
    first, second = (m.values.transpose(-2, -1) for m in (gate_up, down))

    def run() -> Tensor:
        gate, up = F.grouped_mm(rows, first, offs=ends).chunk(2, dim=-1)
        inner = F.gelu(gate, approximate="tanh") * up
        return F.grouped_mm(inner, second, offs=ends)

    return run


def _experts(name: WeightFormat, rows: tuple[int, ...]) -> Op:
    def weights(draw: Draw) -> Arguments:
        hidden, inner = draw.config.hidden_size, draw.config.moe_intermediate_size
        num_experts, pack = draw.config.num_experts, PACKS[name]
        return (
            pack(draw.normal(num_experts, 2 * inner, hidden, std=hidden**-0.5)),
            pack(draw.normal(num_experts, hidden, inner, std=inner**-0.5)),
        )

    def inputs(draw: Draw, matrices: Arguments) -> Arguments:
        scores = draw.normal(draw.num_rows, draw.config.num_experts).float()
        shares, expert_idx = scores.softmax(dim=-1).topk(draw.config.num_experts_per_token)
        x = draw.normal(draw.num_rows, draw.config.hidden_size)
        return (x, *matrices, shares.contiguous(), expert_idx.contiguous())

    def flop(draw: Draw) -> float:
        expert = 3 * draw.config.hidden_size * draw.config.moe_intermediate_size
        return 2.0 * draw.num_rows * draw.config.num_experts_per_token * expert

    def num_bytes(arguments: Arguments, out: Any) -> float:
        x, gate_up, down, shares, expert_idx = arguments
        share_hit = expert_idx.unique().numel() / gate_up.shape[0]
        matrices = share_hit * (gate_up.num_bytes + down.num_bytes)
        return matrices + bytes_of((x, shares, expert_idx, out))

    return Op(
        f"experts, {name}",
        f"{_KERNELS}.moe_fused:run_packed_experts",
        f"{_KERNELS}.moe:run_experts",
        inputs,
        flop,
        weights,
        rows,
        num_bytes,
        peers={"grouped_mm alone": grouped_products} if name == "bf16" else {},
    )


def _packed_linear(name: WeightFormat) -> Op:
    """The widest attention product: from hidden states to a full layer's queries."""

    def width(draw: Draw) -> int:
        return draw.config.num_heads * draw.config.global_head_dim

    def weights(draw: Draw) -> Arguments:
        hidden = draw.config.hidden_size
        return (PACKS[name](draw.normal(1, width(draw), hidden, std=hidden**-0.5)),)

    return Op(
        f"packed linear, {name}",
        f"{_KERNELS}.packed_linear_triton:packed_linear",
        lambda x, matrix: F.linear(x, matrix[0]),
        lambda d, w: (d.normal(d.num_rows, d.config.hidden_size), *w),
        lambda d: 2.0 * d.num_rows * d.config.hidden_size * width(d),
        weights,
        num_bytes=lambda arguments, out: arguments[1].num_bytes + bytes_of((arguments[0], out)),
    )


def _route(draw: Draw, _: Arguments) -> Arguments:
    hidden, num_experts = draw.config.hidden_size, draw.config.num_experts
    return (
        draw.normal(draw.num_rows, hidden),
        draw.normal(num_experts, hidden, std=hidden**-0.5),
        draw.near_one(num_experts),
        draw.config.num_experts_per_token,
    )


def head_inputs(draw: Draw, seed: tuple[int, int] = (0, 0)) -> Arguments:
    """Arguments of `predict_tokens`: nothing forbidden, at `TEMPERATURE`."""
    vocab, hidden = draw.config.vocab_size, draw.config.hidden_size
    return (
        draw.normal(draw.num_rows, hidden),
        draw.normal(vocab, hidden, std=2 * hidden**-0.5),
        draw.config.logit_softcap,
        torch.zeros(2, vocab, dtype=torch.uint8, device=draw.device),
        draw.full(TEMPERATURE, torch.float32),
        torch.tensor(seed, dtype=torch.int64, device=draw.device),
        draw.num_rows,
    )


def _predict(draw: Draw, _: Arguments) -> Arguments:
    return head_inputs(draw)


def _soften(draw: Draw, _: Arguments) -> Arguments:
    predict = find(f"{_KERNELS}.sampler:predict_tokens")
    assert predict is not None, "found together with soft_embeddings"
    arguments = head_inputs(draw)
    predicted = predict(*arguments)
    return (predicted, arguments[1], arguments[4], float(draw.config.hidden_size**0.5))


def _table_flop(draw: Draw) -> float:
    return 2.0 * draw.num_rows * draw.config.vocab_size * draw.config.hidden_size
