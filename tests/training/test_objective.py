"""The head's own gradient agrees with autograd; noise and canvases are what they claim."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from infill_engine.batch_cache import BatchCache
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.prompt_format import NUM_SPECIAL_TOKENS
from tests.training.toy_shards import VOCAB_SIZE
from training.head_loss import head_loss
from training.initialise import initialise
from training.noise import (
    MASK_ID,
    behind_frontier,
    distance_behind,
    noise_canvas,
    noise_levels,
    scattered,
)
from training.objective import (
    PAD_ID,
    Canvases,
    ObjectiveConfig,
    choose_canvases,
    compute_losses,
)
from training.presets import PRESETS
from training.shards import Batch


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("num_rows", [1, 128, 300])
def test_head_loss_is_softcapped_cross_entropy(num_rows: int) -> None:
    hidden = torch.randn(num_rows, 16, generator=generator(), requires_grad=True)
    weight = (3 * torch.randn(50, 16, generator=generator(1))).requires_grad_()
    targets = torch.randint(50, (num_rows,), generator=generator(2))
    row_weights = torch.rand(num_rows, generator=generator(3))
    outcome = head_loss(hidden, weight, targets, row_weights, 5.0, wants_beliefs=True)
    grads = torch.autograd.grad(2 * outcome.total, [hidden, weight])

    logits = 5.0 * torch.tanh(hidden @ weight.T / 5.0)
    rows = F.cross_entropy(logits, targets, reduction="none")
    wanted = torch.autograd.grad(2 * (rows * row_weights).sum(), [hidden, weight])
    torch.testing.assert_close(outcome.row_losses, rows.detach())
    torch.testing.assert_close(outcome.beliefs, (logits.softmax(-1) @ weight).detach())
    for ours, theirs in zip(grads, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_levels_are_spread_evenly() -> None:
    levels = noise_levels(100, generator()).sort().values
    assert bool((levels.diff() < 0.021).all())
    assert levels[0] > 0
    assert levels[-1] <= 1


@pytest.mark.parametrize("noise", ["mask", "uniform", "mixed"])
def test_noise(noise: str) -> None:
    canvas = torch.full((200, 32), 77)
    is_noised = scattered(torch.full((200,), 0.5), 32, generator())
    noised = noise_canvas(canvas, is_noised, noise, VOCAB_SIZE, generator())  # type: ignore[arg-type]
    assert bool((noised[~is_noised] == 77).all())
    assert 0.45 < is_noised.float().mean() < 0.55
    filling = noised[is_noised]
    share_of_masks = float((filling == MASK_ID).float().mean())
    assert {"mask": 1.0, "uniform": 0.0}.get(noise, share_of_masks) == share_of_masks
    if noise == "mixed":
        assert 0.8 < share_of_masks < 0.9
    plain = filling[filling != MASK_ID]
    assert bool((plain >= NUM_SPECIAL_TOKENS).all())


def test_frontier_lies_in_the_text_and_everything_behind_it_is_noised() -> None:
    lengths = torch.tensor([1, 3, 8] * 50)
    is_noised = behind_frontier(lengths, 8, generator())
    frontiers = (~is_noised).sum(dim=1)
    assert bool((frontiers < lengths).all())
    assert set(frontiers[lengths == 3].tolist()) == {0, 1, 2}
    assert bool((is_noised == (torch.arange(8) >= frontiers[:, None])).all())
    assert distance_behind(torch.tensor([[False, True, True, False, True]])).tolist() == [
        [0, 0, 1, 2, 2]
    ]


def batch_of(context: list[int], middle: list[int]) -> Batch:
    def row(values: list[int]) -> np.ndarray:
        return np.array([values], np.int32)

    one = np.zeros(1, np.int32)
    return Batch(row(context), one + len(context), row(middle), one + len(middle), one, one, one)


def test_long_middle_goes_on_in_later_canvases() -> None:
    context, middle = [2, 6, 39, 7, *range(40, 50)], list(range(50, 60))
    seen = set()
    for seed in range(20):
        chosen = choose_canvases(batch_of(context, middle), 4, 2, generator(seed))
        begin = int(chosen.context_lengths[0]) - len(context)
        seen.add(begin)
        piece = middle[begin : begin + 4]
        assert chosen.canvas_ids[0].tolist() == piece + [PAD_ID] * (4 - len(piece))
        assert chosen.prompt_ids[0].tolist() == context + middle[:begin] + piece
        assert int(chosen.prompt_lengths[0]) == len(context) + begin + len(piece)
        for length, ids in zip(chosen.split_lengths[0], chosen.split_ids[0], strict=True):
            assert 4 <= int(length) <= len(context) + begin
            rest = chosen.prompt_ids[0, int(length) :][:4].tolist()
            assert ids.tolist() == rest + [PAD_ID] * (4 - len(rest))
    assert seen == {0, 4, 8}


def tiny_model() -> DiffusionGemma:
    model = DiffusionGemma(replace(PRESETS["toy"].model, vocab_size=VOCAB_SIZE))
    initialise(model, 0)
    return model


def tiny_canvases() -> Canvases:
    middle = torch.tensor([[60, 61, 5, 0, 0, 0, 0, 0]])
    prompt = torch.tensor([[2, 6, 62, 7, 58, 59, 60, 61, 5]])
    split = torch.tensor([[[59, 60, 61, 5, 0, 0, 0, 0]]])
    return Canvases(
        prompt, torch.tensor([6]), torch.tensor([9]), middle, torch.tensor([[5]]), split
    )


def test_canvas_does_not_see_the_middle_in_its_prompt() -> None:
    model = tiny_model()
    canvas = torch.full((1, 8), MASK_ID)
    prompt, lengths = tiny_canvases().prompt_ids, torch.tensor([6])
    hidden = []
    for ids in (prompt, torch.cat([prompt[:, :6], torch.tensor([[90, 91, 92]])], dim=1)):
        cache = BatchCache()
        model.prefill(ids, cache)
        hidden.append(model.denoise(canvas, cache, None, prompt_lengths=lengths))
    torch.testing.assert_close(hidden[0], hidden[1])


@pytest.mark.parametrize("noise", ["mask", "uniform", "mixed"])
@pytest.mark.parametrize("self_conditioning", [0.0, 1.0])
def test_every_parameter_gets_a_gradient(noise: str, self_conditioning: float) -> None:
    model = tiny_model()
    with torch.no_grad():  # a zero down projection hides the gradient of the other two
        model.self_conditioning.down_proj.weight.normal_(generator=generator())
    config = ObjectiveConfig(noise=noise, self_conditioning_share=self_conditioning)  # type: ignore[arg-type]
    losses = compute_losses(model, tiny_canvases(), config, generator())
    losses.total.backward()
    for name, parameter in model.named_parameters():
        if ".experts." in name or (name.startswith("self_conditioning") and not self_conditioning):
            continue  # an expert may see no token
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_self_conditioning_starts_silent() -> None:
    model = tiny_model()
    totals = [
        float(
            compute_losses(
                model,
                tiny_canvases(),
                ObjectiveConfig(self_conditioning_share=share),
                generator(),
            ).total.detach()
        )
        for share in (0.0, 1.0)
    ]
    assert totals[0] == pytest.approx(totals[1], abs=1e-5)
