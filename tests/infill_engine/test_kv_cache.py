"""Reuse and roll-back: whatever was in the cache, the logits are those of an empty one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infill_engine.kv_cache import KVCache
from infill_engine.model.diffusion_gemma import DiffusionGemma
from tests.tiny_checkpoint import tiny_int8_model, tiny_model

MODEL = tiny_model()
CANVAS = torch.arange(100, 116)[None]


def fill(model: DiffusionGemma, cache: KVCache, prompt: list[int]) -> int:
    """Bring `cache` to `prompt`; returns how many tokens it already held."""
    num_cached = cache.roll_back_to(prompt)
    new_ids = prompt[num_cached:]
    if new_ids:
        cache.expect(new_ids, CANVAS.shape[1])
        model.prefill(torch.tensor([new_ids]), cache)
    return num_cached


def new_cache() -> KVCache:
    return KVCache(MODEL.config, torch.float32, torch.device("cpu"))


@pytest.fixture(scope="module")
def int8_model(tmp_path_factory: pytest.TempPathFactory) -> DiffusionGemma:
    return tiny_int8_model(tmp_path_factory.mktemp("int8"))


# Each edit keeps a share of the prompt and appends other tokens: typing, deleting, pasting,
# moving elsewhere. The sliding window is 24 tokens, so prompts fall on both sides of it.
edits = st.lists(
    st.tuples(st.floats(0, 1), st.lists(st.integers(10, 380), max_size=40)), min_size=1, max_size=6
)


@settings(max_examples=25, deadline=None)
@given(edits)
def test_any_sequence_of_edits_gives_the_logits_of_an_empty_cache(
    sequence: list[tuple[float, list[int]]],
) -> None:
    cache, prompt = new_cache(), [2]
    for kept_share, appended in sequence:
        prompt = prompt[: max(1, int(len(prompt) * kept_share))] + appended
        fill(MODEL, cache, prompt)
        assert list(cache.token_ids) == prompt
        reused = MODEL.logits(MODEL.denoise(CANVAS, cache))
        fresh_cache = new_cache()
        fill(MODEL, fresh_cache, prompt)
        fresh = MODEL.logits(MODEL.denoise(CANVAS, fresh_cache))
        torch.testing.assert_close(reused, fresh, atol=1e-4, rtol=0)


@settings(max_examples=50, deadline=None)
@given(edits)
def test_in_int8_to_the_last_bit(
    int8_model: DiffusionGemma, sequence: list[tuple[float, list[int]]]
) -> None:
    cache, prompt = new_cache(), [2]
    for kept_share, appended in sequence:
        prompt = prompt[: max(1, int(len(prompt) * kept_share))] + appended
        fill(int8_model, cache, prompt)
    fresh_cache = new_cache()
    fill(int8_model, fresh_cache, prompt)
    assert torch.equal(int8_model.denoise(CANVAS, cache), int8_model.denoise(CANVAS, fresh_cache))


def test_reuses_the_longest_common_prefix() -> None:
    cache = new_cache()
    assert fill(MODEL, cache, [2, 10, 11, 12, 13]) == 0
    assert fill(MODEL, cache, [2, 10, 11, 12, 13, 14]) == 5
    assert fill(MODEL, cache, [2, 10, 11, 99]) == 3
    assert fill(MODEL, cache, [2, 10]) == 2
    assert cache.num_tokens == 2


def test_a_canvas_leaves_no_trace_and_rows_share_the_prompt() -> None:
    cache = new_cache()
    fill(MODEL, cache, list(range(10, 60)))
    one = MODEL.denoise(CANVAS, cache)
    several = MODEL.denoise(CANVAS.repeat(3, 1), cache)
    torch.testing.assert_close(several, one.expand(3, -1, -1), atol=1e-4, rtol=0)
    assert cache.num_tokens == 50


def test_grows_past_its_first_size_without_losing_what_it_holds() -> None:
    cache, whole = new_cache(), new_cache()
    prompt = [10 + i % 300 for i in range(600)]
    fill(MODEL, cache, prompt[:200])
    num_bytes = cache.num_bytes
    fill(MODEL, cache, prompt)
    fill(MODEL, whole, prompt)
    assert cache.num_bytes > num_bytes
    torch.testing.assert_close(
        MODEL.denoise(CANVAS, cache), MODEL.denoise(CANVAS, whole), atol=1e-4, rtol=0
    )
