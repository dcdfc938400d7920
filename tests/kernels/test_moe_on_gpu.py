"""The mixture of experts on a real GPU: bfloat16 at the published model's sizes, and CUDA graphs.

Skipped where there is none. What the interpreter cannot show: bfloat16, the chip's own rounding and
tiny factors, and that nothing waits for the GPU.
"""

from collections.abc import Iterator

import pytest
import torch

pytest.importorskip("triton", reason="Triton is installed on Linux only")
if not torch.cuda.is_available():
    pytest.skip("needs a GPU", allow_module_level=True)

from infill_kernels import moe_weights, route, run_experts
from infill_kernels.backend import forget_choices, uses_triton
from infill_kernels.moe_fused import run_packed_experts
from torch import Tensor

HIDDEN, INNER, EXPERTS, CHOSEN = 2816, 704, 128, 8
TOLERANCE = 1e-2  # of the norm, bfloat16 against float32
PACKS = {
    "dense": moe_weights.dense,
    "fp8": moe_weights.pack_float8,
    "fp8/64": lambda weight: moe_weights.pack_float8(weight, 64),
    "int4/64": moe_weights.pack_int4,
    "int4/32": lambda weight: moe_weights.pack_int4(weight, 32),
}


@pytest.fixture(scope="module", autouse=True)
def asked_for() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFILL_KERNELS", "triton")
        forget_choices()
        yield
    forget_choices()


@pytest.fixture(scope="module")
def experts() -> tuple[Tensor, Tensor]:
    generator = torch.Generator("cuda").manual_seed(0)
    shapes = ((EXPERTS, 2 * INNER, HIDDEN), (EXPERTS, HIDDEN, INNER))
    gate_up, down = (
        torch.randn(s, device="cuda", generator=generator, dtype=torch.bfloat16).mul_(s[2] ** -0.5)
        for s in shapes
    )
    return gate_up, down


def rows_and_routing(num_rows: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator("cuda").manual_seed(num_rows)
    x = torch.randn(num_rows, HIDDEN, device="cuda", generator=generator).bfloat16()
    router = torch.randn(EXPERTS, HIDDEN, device="cuda", generator=generator).bfloat16()
    scale = torch.rand(EXPERTS, device="cuda", generator=generator).bfloat16() + 0.5
    with torch.no_grad():
        return x, *route(x, router * HIDDEN**-0.5, scale, CHOSEN)


def in_float32(x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, idx: Tensor) -> Tensor:
    """Expert by expert, as the reference would want 3 GB for all at once."""
    out = torch.zeros(x.shape, device="cuda")
    for expert in range(EXPERTS):
        row, choice = (idx == expert).nonzero(as_tuple=True)
        one = torch.zeros(len(row), 1, dtype=torch.int64, device="cuda")
        share = weights[row, choice].unsqueeze(-1)
        matrices = gate_up[expert : expert + 1].float(), down[expert : expert + 1].float()
        if len(row):
            out.index_add_(0, row, run_experts(x[row].float(), *matrices, share, one))
    return out


@pytest.mark.parametrize("num_rows", [1, 7, 63, 256, 600, 2048])
@pytest.mark.parametrize("kind", PACKS)
def test_close_to_float32(num_rows: int, kind: str, experts: tuple[Tensor, Tensor]) -> None:
    packed = [PACKS[kind](weight) for weight in experts]
    x, weights, expert_idx = rows_and_routing(num_rows)
    got = run_packed_experts(x, packed[0], packed[1], weights, expert_idx)
    unpacked = [moe_weights.unpack(matrices) for matrices in packed]
    want = in_float32(x, unpacked[0], unpacked[1], weights, expert_idx)
    assert (got.float() - want).norm() <= TOLERANCE * want.norm()
    assert torch.equal(got, run_packed_experts(x, packed[0], packed[1], weights, expert_idx))


def test_a_captured_graph_follows_new_routing(experts: tuple[Tensor, Tensor]) -> None:
    x, weights, expert_idx = rows_and_routing(64)
    with torch.no_grad():
        assert uses_triton(x, *experts)
        run_experts(x, *experts, weights, expert_idx)  # compiles
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = run_experts(x, *experts, weights, expert_idx)
        expert_idx.fill_(0).add_(torch.arange(CHOSEN, device="cuda"))  # all rows to eight experts
        graph.replay()
        assert torch.equal(captured, run_experts(x, *experts, weights, expert_idx))


def test_training_keeps_the_reference(experts: tuple[Tensor, Tensor]) -> None:
    x = rows_and_routing(1)[0]
    assert not uses_triton(x.requires_grad_(), *experts)
    assert not uses_triton(x.detach().float())
