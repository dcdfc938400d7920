"""The captured way on a real GPU: graphs, bfloat16, and the published model's head sizes.

Skipped where there is none. What a CPU cannot show: that a capture holds, that replays follow new
lengths, pins and seeds, and that growing the cache captures anew.
"""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is installed on Linux only")
if not torch.cuda.is_available():
    pytest.skip("needs a GPU", allow_module_level=True)

from infill_engine.canvas import Canvas
from infill_engine.forward.captured import CapturedForward
from infill_engine.forward.choice import choose_forward
from infill_engine.forward.company_check import is_company_right
from infill_engine.forward.kernel_check import why_kernels_fail
from infill_engine.forward.prediction import Prediction, Wanted
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.random_source import SeededRandom
from tests.tiny_checkpoint import tiny_config, tiny_model

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
VOCAB = 384
PROMPT = [10 + i % 300 for i in range(400)]


@pytest.fixture(scope="module")
def model() -> DiffusionGemma:
    config = tiny_config(
        hidden_size=256,
        head_dim=256,
        global_head_dim=512,
        intermediate_size=192,
        num_experts=16,
        num_experts_per_token=4,
        moe_intermediate_size=64,
        sliding_window=64,
        canvas_length=64,
    )
    return tiny_model(config).to(GPU, torch.bfloat16)


def canvas_of(length: int) -> Canvas:
    ids = (torch.arange(length)[None] * 7) % VOCAB
    return Canvas(ids, torch.zeros_like(ids, dtype=torch.bool))


def entropies(forward: CapturedForward, length: int = 32) -> torch.Tensor:
    return forward.predict(canvas_of(length), 1.0, SeededRandom(0, VOCAB, CPU), None).entropy


def test_the_kernels_prove_themselves(model: DiffusionGemma) -> None:
    assert why_kernels_fail(model) is None
    forward = choose_forward(model, 256, [(1, 32)], lambda _what, _share: None)
    assert isinstance(forward, CapturedForward)


@pytest.mark.parametrize("cache_dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_one_graph_serves_every_length(model: DiffusionGemma, cache_dtype: torch.dtype) -> None:
    grown = CapturedForward(model, 512, cache_dtype)
    begin = 0
    for num_tokens in (3, 60, 1, 200, 8):
        grown.prefill(PROMPT[begin : begin + num_tokens])
        begin += num_tokens
        fresh = CapturedForward(model, 512, cache_dtype)
        fresh.prefill(PROMPT[:begin])
        assert (entropies(grown) - entropies(fresh)).abs().median() < 0.1


def test_the_same_request_repeats_and_seeds_differ(model: DiffusionGemma) -> None:
    forward = CapturedForward(model, 512)
    forward.prefill(PROMPT[:50])

    def drawn(seed: int) -> list[list[int]]:
        random = SeededRandom(seed, VOCAB, CPU)
        return [
            forward.predict(canvas_of(32), 1.0, random, None).sampled[0].tolist() for _ in range(2)
        ]

    assert drawn(1) == drawn(1)
    assert drawn(1)[0] != drawn(1)[1]
    assert drawn(1) != drawn(2)


def test_growing_moves_on(model: DiffusionGemma) -> None:
    forward = CapturedForward(model, 64)
    forward.prefill(PROMPT[:50])
    before = entropies(forward)
    forward.cache.expect([0] * 3000, 0)
    forward.cache.truncate(50)
    assert (entropies(forward) - before).abs().max() < 1e-3


@pytest.mark.parametrize("cache_dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_one_graph_serves_whichever_meet(model: DiffusionGemma, cache_dtype: torch.dtype) -> None:
    """Slots that were not there when it was captured, prompts that have changed since."""
    assert is_company_right(model, cache_dtype)
    first = CapturedForward(model, 512, cache_dtype)
    forwards = [first, *(first.sibling() for _ in range(4))]
    for idx, forward in enumerate(forwards):
        forward.prefill(PROMPT[idx * 20 : 70 + idx * 60])
    for group in ([0, 1, 2], [4, 3, 1], [2, 4]):
        forwards[group[0]].cache.truncate(30)
        wanted = [Wanted(canvas_of(32), 1.0, SeededRandom(idx, VOCAB, CPU), None) for idx in group]
        answers = first.graphs.share(
            [forwards[idx].wish(one) for idx, one in zip(group, wanted, strict=True)]
        )
        for idx, answer in zip(group, answers, strict=True):
            assert isinstance(answer, Prediction)
            want = forwards[idx].predict(canvas_of(32), 1.0, SeededRandom(idx, VOCAB, CPU), None)
            assert (answer.entropy - want.entropy).abs().median() < 0.1
