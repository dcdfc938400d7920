"""Predictions for several requests' canvases: in one pass where that is right, else in turn.

What a request is answered must not depend on who else asks. Sums of int8 products are exact, so
there the rows of a pass do not touch each other; a float product may round by how many rows it has.
So on a CPU a pass is shared once it has proved, on this machine and with these weights, to give
each canvas the bits it gets alone. On a GPU, where sharing is worth much more, it has to prove the
same up to rounding (decision 0038). Knows nothing of requests, of prompts or of how many canvases
are worth it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from infill_engine.forward.captured import CapturedForward
from infill_engine.forward.company_check import is_company_right
from infill_engine.forward.eager import EagerForward
from infill_engine.forward.prediction import Forward, Prediction, Wanted
from infill_engine.forward.side_by_side import PlacedCanvas, denoise_side_by_side
from infill_engine.kv_cache import KVCache
from infill_engine.model.diffusion_gemma import DiffusionGemma

logger = logging.getLogger(__name__)

T = TypeVar("T")

_PROMPT_LENGTHS = (3, 40, 7, 101)
"""Tokens before the trial canvases: within a tiny window and beyond it."""


class Together:
    """Answers what several canvases want, each over a forward of its own."""

    def __init__(self) -> None:
        self._shares: bool | None = None

    @property
    def shares_passes(self) -> bool | None:
        """Whether canvases share a pass; None before two have met."""
        return self._shares

    def prove(self, forward: Forward) -> None:
        """Find out whether a pass can be shared, unless that is known; takes a few steps' time."""
        if self._shares is not None:
            return
        self._shares = False
        try:
            if isinstance(forward, EagerForward):
                self._shares = _is_exact_side_by_side(forward.model)
            elif isinstance(forward, CapturedForward):
                self._shares = is_company_right(forward.model, forward.cache.dtype)
        except Exception as error:  # such as too little memory: requests can still take turns
            logger.warning("sharing steps was not tried: %s", type(error).__name__)
        logger.info("denoising steps are shared: %s", self._shares)

    def predict(self, wishes: Sequence[tuple[Forward, Wanted]]) -> list[Prediction | Exception]:
        """One answer for each wish, in order: a prediction, or why that one got none.

        Args:
            wishes: forwards of one model, none of them twice, and what is wanted of each.
        """
        if len(wishes) > 1:
            self.prove(wishes[0][0])
            if self._shares and (answers := _predict_together(wishes)) is not None:
                return answers
        return [
            _attempt(lambda forward=forward, wanted=wanted: forward.predict(*wanted))
            for forward, wanted in wishes
        ]


def _predict_together(
    wishes: Sequence[tuple[Forward, Wanted]],
) -> list[Prediction | Exception] | None:
    """None where the pass itself failed, before anything was drawn: each then fails alone."""
    eager = [(f, wanted) for f, wanted in wishes if isinstance(f, EagerForward)]
    if len(eager) == len(wishes):
        return _predict_side_by_side(eager)
    captured = [(f, wanted) for f, wanted in wishes if isinstance(f, CapturedForward)]
    if len(captured) == len(wishes):
        return _predict_captured(captured)
    return None


def _predict_captured(
    wishes: Sequence[tuple[CapturedForward, Wanted]],
) -> list[Prediction | Exception]:
    begun = [_attempt(lambda f=f, wanted=wanted: f.wish(wanted)) for f, wanted in wishes]
    graphs = wishes[0][0].graphs
    answers = iter(graphs.predict([one for one in begun if not isinstance(one, Exception)]))
    return [one if isinstance(one, Exception) else next(answers) for one in begun]


def _predict_side_by_side(
    wishes: Sequence[tuple[EagerForward, Wanted]],
) -> list[Prediction | Exception] | None:
    """None where the pass itself failed, before anything was drawn: each then fails alone."""
    try:
        hidden = denoise_side_by_side(
            wishes[0][0].model,
            [
                PlacedCanvas(wanted.canvas.current, forward.cache, forward.signal(wanted.canvas))
                for forward, wanted in wishes
            ],
        )
    except Exception as error:  # of whichever canvas; the text may quote what it was about
        logger.warning("a shared step failed (%s); each is tried alone", type(error).__name__)
        return None
    # The head is taken canvas by canvas: logits of several would not fit a core's cache, which
    # makes them half as slow again (four canvases of 16: 127 ms together, 83 ms in turn, measured
    # on a busy machine).
    return [
        _attempt(lambda f=forward, h=part, w=wanted: f.read_off(h, w))
        for (forward, wanted), part in zip(wishes, hidden, strict=True)
    ]


def _attempt(work: Callable[[], T]) -> T | Exception:
    try:
        return work()
    except Exception as error:
        return error


def _is_exact_side_by_side(model: DiffusionGemma) -> bool:
    """Whether trial canvases, long and short, get the same bits in company as alone."""
    is_int8 = any(weight.dtype == torch.int8 for weight in model.weights())
    if model.device.type != "cpu" or (model.dtype == torch.float32 and not is_int8):
        return False  # float32 products round by their number of rows; a trial may miss it
    canvases = _trial_canvases(model)
    alone = [model.denoise(c.token_ids, c.cache, c.signal) for c in canvases]
    groups = [[2, 0], [1, 3], list(range(len(canvases)))]
    return all(
        torch.equal(together, alone[idx])
        for group in groups
        for idx, together in zip(
            group, denoise_side_by_side(model, [canvases[idx] for idx in group]), strict=True
        )
    )


def _trial_canvases(model: DiffusionGemma) -> list[PlacedCanvas]:
    generator = torch.Generator().manual_seed(0)
    config, length = model.config, model.config.canvas_length
    canvases: list[PlacedCanvas] = []
    for idx, num_prompt in enumerate(_PROMPT_LENGTHS):
        cache = KVCache(config, model.dtype, model.device)
        shape = (1, length if idx % 2 else max(1, length // 2))
        prompt = torch.randint(config.vocab_size, (1, num_prompt), generator=generator)
        cache.expect(prompt[0].tolist(), length)
        model.prefill(prompt, cache)
        token_ids = torch.randint(config.vocab_size, shape, generator=generator)
        signal = torch.randn(*shape, config.hidden_size, generator=generator).to(model.dtype)
        canvases.append(PlacedCanvas(token_ids, cache, signal if idx else None))
    return canvases
