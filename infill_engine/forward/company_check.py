"""Lets shared passes prove themselves on the machine at hand before a user sees what they give.

The first layers of the loaded model, one of each kind at least, read trial canvases alone and in
company. They may differ by rounding, as products of other sizes do; a row that read another's cache
is off by all of it. Knows no kernel.
"""

import logging

import torch

from infill_engine.canvas import Canvas
from infill_engine.forward.captured import CapturedForward
from infill_engine.forward.kernel_check import (
    MOST_ENTROPY_ERROR,
    MOST_RELATIVE_ERROR,
    first_layers,
    median_error,
)
from infill_engine.forward.prediction import Prediction, Wanted
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.random_source import SeededRandom

logger = logging.getLogger(__name__)

_PROMPT_LENGTHS = (3, 40, 7)
"""Three, so that a row of the shared pass is idle."""
_NUM_CANVAS = 32


def is_company_right(model: DiffusionGemma, cache_dtype: torch.dtype) -> bool:
    """Whether trial canvases get in company what they get alone, but for rounding.

    Compiles and captures; waits for the device. Modifies nothing.

    Args:
        model: on the device it runs on.
        cache_dtype: of keys and values.

    Raises:
        torch.OutOfMemoryError: the device has no room for the trial.
    """
    part = first_layers(model)
    first = CapturedForward(part, max(_PROMPT_LENGTHS), cache_dtype)
    forwards = [first, *(first.sibling() for _ in _PROMPT_LENGTHS[1:])]
    vocab_size = part.config.vocab_size
    wanted: list[Wanted] = []
    for idx, (forward, num_tokens) in enumerate(zip(forwards, _PROMPT_LENGTHS, strict=True)):
        forward.prefill([(11 + 2 * idx) * (i + 1) % vocab_size for i in range(num_tokens)])
        ids = (torch.arange(_NUM_CANVAS)[None] * 7 + idx) % vocab_size
        canvas = Canvas(ids, torch.zeros_like(ids, dtype=torch.bool))
        random = SeededRandom(0, vocab_size, forward.canvas_device)
        wanted.append(Wanted(canvas, 0.0, random, None))
    for _ in range(2):  # the second step has beliefs
        alone = [f.predict(*one) for f, one in zip(forwards, wanted, strict=True)]
        wishes = [forward.wish(one) for forward, one in zip(forwards, wanted, strict=True)]
        for answer, want in zip(first.graphs.share(wishes), alone, strict=True):
            if isinstance(answer, Exception):
                raise answer
            if not _is_alike(answer, want):
                return False
        for one, want in zip(wanted, alone, strict=True):
            one.canvas.soft_embeddings = want.soft_embeddings
    return True


def _is_alike(got: Prediction, want: Prediction) -> bool:
    belief_error = median_error(got.soft_embeddings[0].float(), want.soft_embeddings[0].float())
    entropy_error = (got.entropy - want.entropy).abs().median().item()
    logger.info(
        "in company: beliefs differ by %.2g, entropies by %.2g nats", belief_error, entropy_error
    )
    return belief_error <= MOST_RELATIVE_ERROR and entropy_error <= MOST_ENTROPY_ERROR
