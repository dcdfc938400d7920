"""Products with packed weights on a real GPU: bfloat16 at the published model's sizes, and graphs.

Skipped where there is none. What the interpreter cannot show: bfloat16, the chip's own rounding and
tiny factors, and that nothing waits for the GPU.
"""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is installed on Linux only")
if not torch.cuda.is_available():
    pytest.skip("needs a GPU", allow_module_level=True)

from infill_kernels import moe_weights, packed_linear_triton
from infill_kernels.moe_fused import run_packed_experts
from infill_kernels.moe_weights import ExpertMatrices, unpack
from infill_kernels.packed_moe import run_packed_choices
from infill_kernels.published_weights import join_int4_zeros, join_nvfp4
from torch import Tensor
from torch.nn import functional as F

HIDDEN, QUERY, INNER = 2816, 4096, 2112
TOLERANCE = 1e-2  # of the norm, bfloat16 against float32
KINDS = ["fp8", "int4/32", "int4/64", "zeros/32", "zeros/64", "nvfp4"]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, device="cuda", generator=torch.Generator("cuda").manual_seed(seed))


def pack(num_matrices: int, rows: int, columns: int, kind: str, seed: int = 3) -> ExpertMatrices:
    name, _, group_text = kind.partition("/")
    weight = normal(num_matrices, rows, columns, seed=seed) / columns**0.5
    if name == "fp8":
        return moe_weights.pack_float8(weight)
    if name == "int4":
        return moe_weights.pack_int4(weight, int(group_text))
    codes = (weight.abs() * 1e6).int() % 16
    if name == "zeros":
        group = int(group_text)
        scales = normal(num_matrices, rows, columns // group, seed=seed).abs() / (5 * columns**0.5)
        zeros = (scales * 1e6).int() % 17
        return join_int4_zeros(codes, zeros, scales, group)
    stored = normal(num_matrices, rows, columns // 16, seed=seed).abs() * 100
    overall = normal(num_matrices, rows, seed=seed).abs() / (200 * columns**0.5)
    return join_nvfp4(codes, stored.to(torch.float8_e4m3fn), overall)


def assert_near(got: Tensor, want: Tensor) -> None:
    assert (got.float() - want).norm() <= TOLERANCE * want.norm()


@pytest.mark.parametrize("num_rows", [1, 7, 63, 256, 600])
@pytest.mark.parametrize("kind", KINDS)
def test_linear_is_close_to_float32(num_rows: int, kind: str) -> None:
    weights, x = pack(1, QUERY, HIDDEN, kind), normal(num_rows, HIDDEN).bfloat16()
    got = packed_linear_triton.packed_linear(x, weights)
    assert_near(got, F.linear(x.float(), unpack(weights)[0]))
    assert torch.equal(got, packed_linear_triton.packed_linear(x, weights))


@pytest.mark.parametrize("num_rows", [1, 32, 256])
@pytest.mark.parametrize("kind", KINDS)
def test_mlp_is_close_to_float32(num_rows: int, kind: str) -> None:
    gate_up, down = pack(1, 2 * INNER, HIDDEN, kind), pack(1, HIDDEN, INNER, kind, seed=4)
    x = normal(num_rows, HIDDEN).bfloat16()
    gate, up = F.linear(x.float(), unpack(gate_up)[0]).chunk(2, dim=-1)
    want = F.linear(F.gelu(gate, approximate="tanh") * up, unpack(down)[0])
    assert_near(packed_linear_triton.packed_mlp(x, gate_up, down), want)


@pytest.mark.parametrize("kind", ["zeros/32", "nvfp4"])
def test_experts_are_close_to_float32(kind: str) -> None:
    """The formats that test_moe_on_gpu does not pack."""
    gate_up, down = pack(8, 2 * 704, HIDDEN, kind), pack(8, HIDDEN, 704, kind, seed=4)
    x = normal(63, HIDDEN).bfloat16()
    weights, expert_idx = normal(63, 8, seed=5).softmax(dim=-1).topk(2)
    got = run_packed_experts(x, gate_up, down, weights.contiguous(), expert_idx.contiguous())
    assert_near(got, run_packed_choices(x.float(), gate_up, down, weights, expert_idx).sum(dim=1))


def test_a_graph_holds_it() -> None:
    weights, x = pack(1, QUERY, HIDDEN, "int4/32"), normal(64, HIDDEN).bfloat16()
    packed_linear_triton.packed_linear(x, weights)  # compiles
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = packed_linear_triton.packed_linear(x, weights)
    x.copy_(normal(64, HIDDEN, seed=9))
    graph.replay()
    assert torch.equal(captured, packed_linear_triton.packed_linear(x, weights))
