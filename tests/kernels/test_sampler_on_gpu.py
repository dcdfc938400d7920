"""The sampler on a real GPU: bfloat16 at the published model's sizes, and CUDA graphs.

Skipped where there is none. What the interpreter cannot show: bfloat16, the chip's own exponentials
and random numbers, and that nothing waits for the GPU.
"""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is installed on Linux only")
if not torch.cuda.is_available():
    pytest.skip("needs a GPU", allow_module_level=True)

from infill_kernels import sampler
from infill_kernels.sampler import Predicted, predict_from_logits, softcapped_logits
from infill_kernels.sampler_fused import predict_tokens
from infill_kernels.soft_embedding import soft_embeddings
from torch import Tensor

HIDDEN, VOCAB, SOFTCAP, CANVAS = 2816, 262_144, 30.0, 64


@pytest.fixture(scope="module")
def table() -> Tensor:
    generator = torch.Generator("cuda").manual_seed(0)
    options = {"device": "cuda", "generator": generator, "dtype": torch.bfloat16}
    return torch.randn(VOCAB, HIDDEN, **options).mul_(HIDDEN**-0.5)


def rows(num_rows: int) -> Tensor:
    generator = torch.Generator("cuda").manual_seed(num_rows)
    return torch.randn(num_rows, HIDDEN, device="cuda", generator=generator).mul_(4).bfloat16()


def rules() -> Tensor:
    forbidden = torch.zeros(2, VOCAB, dtype=torch.uint8, device="cuda")
    forbidden[:, :1000] = 1
    forbidden[0, 5000:] = 1
    return forbidden


def settings(temperature: float, draw: int) -> tuple[Tensor, Tensor]:
    heat = torch.tensor([temperature], device="cuda")
    return heat, torch.tensor([12_345_678_901, draw], device="cuda")


def predict(hidden: Tensor, table: Tensor, heat: Tensor, seed: Tensor) -> Predicted:
    return predict_tokens(hidden, table, SOFTCAP, rules(), heat, seed, CANVAS)


@pytest.mark.parametrize("num_rows", [1, 7, 32, 64, 256, 600])
@pytest.mark.parametrize("temperature", [0.0, 0.6])
def test_close_to_float32(num_rows: int, temperature: float, table: Tensor) -> None:
    hidden, (heat, seed) = rows(num_rows), settings(temperature, 3)
    got = predict(hidden, table, heat, seed)
    # 64 tokens of every 4096, as the whole table in float32 would take 3 GB and its logits more.
    some = (torch.arange(VOCAB, device="cuda") % 4096) < 64
    want = softcapped_logits(hidden.float(), table[some].float(), SOFTCAP, rules()[:, some], CANVAS)
    allowed = ~want.isinf()
    assert torch.equal(~got.logits[:, some].isinf(), allowed)
    assert (got.logits[:, some] - want)[allowed].abs().max() <= 0.02

    wanted = predict_from_logits(got.logits, heat, seed)
    assert torch.equal(got.argmax, wanted.argmax)
    assert torch.allclose(got.entropy, wanted.entropy, rtol=1e-4, atol=1e-4)
    assert (got.sampled == wanted.sampled).float().mean() >= 0.98  # but for the last bits of sums
    mean = soft_embeddings(got, table, heat, 53.0)
    exact = torch.zeros(num_rows, HIDDEN, device="cuda")
    shares = (got.logits.float() / (temperature or 1.0)).softmax(dim=-1)
    for part in range(0, VOCAB, 2**15):
        exact += shares[:, part : part + 2**15] @ table[part : part + 2**15].float() * 53.0
    assert (mean.float() - exact).norm() <= 1e-2 * exact.norm()
    near = sampler.soft_embeddings(got, table, heat, 53.0)
    assert (near.float() - exact).norm() <= 2e-2 * exact.norm()

    again = predict(hidden, table, heat, seed)
    assert all(torch.equal(a, b) for a, b in zip(got, again, strict=True))
    assert torch.equal(mean, soft_embeddings(again, table, heat, 53.0))


def test_a_captured_graph_follows_temperature_and_draw(table: Tensor) -> None:
    hidden, (heat, seed) = rows(64), settings(0.8, 0)
    forbidden = rules()

    def step() -> tuple[Predicted, Tensor]:
        got = predict_tokens(hidden, table, SOFTCAP, forbidden, heat, seed, CANVAS)
        return got, soft_embeddings(got, table, heat, 53.0)

    step()  # compiles
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured, mean = step()
    heat.fill_(0.5)
    seed[1] = 9
    graph.replay()
    want, want_mean = step()
    assert all(torch.equal(a, b) for a, b in zip(captured, want, strict=True))
    assert torch.equal(mean, want_mean)
