"""Keys, values and logits agree with transformers' DiffusionGemma, through a saved checkpoint."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

from infill_engine.batch_cache import BatchCache
from infill_engine.checkpoint import save_checkpoint
from infill_engine.checkpoint.layout import is_vision
from infill_engine.kv_cache import KVCache
from infill_engine.model.diffusion_gemma import DiffusionGemma, PromptCache
from tests.infill_engine.model.reference import (
    CANVAS,
    CASES,
    Case,
    load_ours,
    random_ids,
    random_reference,
    reference_prefill,
)

TOLERANCE = 1e-4

pytestmark = pytest.mark.usefixtures("one_thread_no_gradients")


@pytest.fixture
def one_thread_no_gradients() -> Iterator[None]:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors this small only wait for each other
    with torch.no_grad():
        yield
    torch.set_num_threads(num_threads)


def assert_close(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, rtol=0, atol=TOLERANCE)


def batch_cache(_model: DiffusionGemma, _ids: Tensor) -> PromptCache:
    return BatchCache()


def kv_cache(model: DiffusionGemma, prompt_ids: Tensor) -> PromptCache:
    cache = KVCache(model.config, torch.float32, torch.device("cpu"))
    cache.expect(prompt_ids[0].tolist(), CANVAS)
    return cache


def keys_and_values(cache: PromptCache, layer_idx: int) -> tuple[Tensor, Tensor]:
    if isinstance(cache, BatchCache):
        return cache.layer(layer_idx)
    assert isinstance(cache, KVCache)
    end = cache.num_tokens
    return cache._keys[layer_idx][:, :, :end], cache._values[layer_idx][:, :, :end]


NewCache = Callable[[DiffusionGemma, Tensor], PromptCache]


@pytest.mark.parametrize("new_cache", [batch_cache, kv_cache])
@pytest.mark.parametrize(
    ("case", "num_chunks"),
    [(case, num) for case in CASES for num in (1, 2) if num <= case.num_prompt],
    ids=lambda value: getattr(value, "name", value),
)
def test_prefill_and_canvas(
    case: Case, num_chunks: int, new_cache: NewCache, tmp_path: Path
) -> None:
    if new_cache is kv_cache:
        case = Case(**{**case.__dict__, "batch": 1})  # it holds one prompt
    reference = random_reference(case)
    ours = load_ours(reference, tmp_path)
    prompt_ids = random_ids(ours.config, case.batch, case.num_prompt, seed=1)
    canvas_ids = random_ids(ours.config, case.batch, CANVAS, seed=2)

    # 1. Prefill.
    their_cache = reference_prefill(reference, prompt_ids)
    cache = new_cache(ours, prompt_ids)
    for chunk in prompt_ids.tensor_split(num_chunks, dim=1):
        ours.prefill(chunk, cache)
    assert cache.num_tokens == case.num_prompt
    for layer_idx in range(case.num_layers):
        their_layer = their_cache.layers[layer_idx]
        num_kept = their_layer.keys.shape[2]
        if ours.config.is_sliding(layer_idx):
            assert num_kept == min(case.num_prompt, case.window - 1)
        keys, values = keys_and_values(cache, layer_idx)
        assert_close(keys[:, :, -num_kept:], their_layer.keys)
        assert_close(values[:, :, -num_kept:], their_layer.values)

    # 2. Read a canvas, first without, then with what was believed before.
    theirs = reference(decoder_input_ids=canvas_ids, past_key_values=their_cache).logits
    logits = ours.logits(ours.denoise(canvas_ids, cache))
    assert_close(logits, theirs)
    belief = 4.0 * theirs
    theirs_again = reference(
        decoder_input_ids=canvas_ids, past_key_values=their_cache, self_conditioning_logits=belief
    ).logits
    soft = ours.soft_embed(belief.softmax(dim=-1))
    again = ours.logits(ours.denoise(canvas_ids, cache, soft))
    assert_close(again, theirs_again)
    assert (again - logits).abs().max() > 100 * TOLERANCE  # self-conditioning matters
    assert cache.num_tokens == case.num_prompt  # a canvas stores nothing


@pytest.mark.parametrize("case", CASES[1:3], ids=lambda case: case.name)
def test_transformers_reads_what_we_write(case: Case, tmp_path: Path) -> None:
    reference = random_reference(case)
    ours = load_ours(reference, tmp_path / "theirs")
    save_checkpoint(tmp_path / "ours", ours, False, {}, max_shard_bytes=40_000)
    raw = json.loads((tmp_path / "ours" / "config.json").read_text())
    config = DiffusionGemmaConfig(**raw, vision_config=reference.config.vision_config)
    again = DiffusionGemmaForBlockDiffusion.from_pretrained(tmp_path / "ours", config=config)
    want = reference.state_dict()
    for name, tensor in again.state_dict().items():
        if not is_vision(name):
            assert torch.equal(tensor, want[name]), name
    prompt_ids = random_ids(ours.config, 1, case.num_prompt, seed=1)
    canvas_ids = random_ids(ours.config, 1, CANVAS, seed=2)
    logits = [
        model(decoder_input_ids=canvas_ids, past_key_values=reference_prefill(model, prompt_ids))
        for model in (again.eval(), reference)
    ]
    assert_close(logits[0].logits, logits[1].logits)


def test_layer_scalars_and_router_scales_matter(tmp_path: Path) -> None:
    """Otherwise agreement above would say nothing about them."""
    ours = load_ours(random_reference(CASES[1]), tmp_path)
    prompt_ids = random_ids(ours.config, 1, 9, seed=1)
    canvas_ids = random_ids(ours.config, 1, CANVAS, seed=2)

    def logits() -> Tensor:
        cache = BatchCache()
        ours.prefill(prompt_ids, cache)
        return ours.logits(ours.denoise(canvas_ids, cache))

    before = logits()
    layer = ours.get_submodule("layers.0")
    for tensor in (layer.layer_scalar, layer.router.scale, layer.router.per_expert_scale):
        kept = tensor.clone()
        tensor.fill_(1.0)
        assert (logits() - before).abs().max() > 10 * TOLERANCE
        tensor.copy_(kept)


@pytest.mark.parametrize("case", CASES[:3], ids=lambda case: case.name)
def test_padded_rows_equal_rows_alone(case: Case, tmp_path: Path) -> None:
    ours = load_ours(random_reference(case), tmp_path)
    lengths = [1, case.num_prompt // 2 + 1, case.num_prompt]
    prompt_ids = random_ids(ours.config, 3, case.num_prompt, seed=1)
    canvas_ids = random_ids(ours.config, 3, CANVAS, seed=2)
    padded = BatchCache()
    ours.prefill(prompt_ids, padded)
    together = ours.denoise(canvas_ids, padded, prompt_lengths=torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone = BatchCache()
        ours.prefill(prompt_ids[row : row + 1, :length], alone)
        assert_close(together[row], ours.denoise(canvas_ids[row : row + 1], alone)[0])


def test_one_prompt_serves_many_canvases(tmp_path: Path) -> None:
    ours = load_ours(random_reference(CASES[1]), tmp_path)
    prompt_ids = random_ids(ours.config, 1, 20, seed=1)
    canvas_ids = random_ids(ours.config, 4, CANVAS, seed=2)
    cache = kv_cache(ours, prompt_ids)
    ours.prefill(prompt_ids, cache)
    together = ours.denoise(canvas_ids, cache)
    for row in range(4):
        assert_close(together[row], ours.denoise(canvas_ids[row : row + 1], cache)[0])


def test_rolling_back_leaves_no_trace(tmp_path: Path) -> None:
    ours = load_ours(random_reference(CASES[1]), tmp_path)
    first = random_ids(ours.config, 1, 30, seed=1)
    second = torch.cat([first[:, :11], random_ids(ours.config, 1, 14, seed=3)], dim=1)
    canvas_ids = random_ids(ours.config, 1, CANVAS, seed=2)
    cache = kv_cache(ours, first)
    ours.prefill(first, cache)
    ours.denoise(canvas_ids, cache)
    assert cache.roll_back_to(second[0].tolist()) >= 11
    rest = second[:, cache.num_tokens :]
    cache.expect(rest[0].tolist(), CANVAS)
    ours.prefill(rest, cache)
    fresh = kv_cache(ours, second)
    ours.prefill(second, fresh)
    assert_close(ours.denoise(canvas_ids, cache), ours.denoise(canvas_ids, fresh))
