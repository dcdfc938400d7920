"""Lets the kernels prove themselves on the GPU at hand before a user sees what they compute.

The first layers of the loaded model, one of each kind at least, read a few tokens and predict a
small canvas both ways. Kernels that fail to compile, to launch or to agree are not used; the
references are slower, but right. Knows no single kernel.
"""

import copy
import logging
from dataclasses import replace

import torch
from infill_kernels.backend import only_references
from torch import Tensor, nn

from infill_engine.canvas import Canvas
from infill_engine.forward.captured import CapturedForward
from infill_engine.forward.eager import EagerForward
from infill_engine.forward.prediction import Forward
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.random_source import SeededRandom

logger = logging.getLogger(__name__)

_NUM_PROMPT, _NUM_CANVAS = 40, 32
# Two ways of rounding differ by a few percent after some layers in bfloat16, and a row whose router
# was undecided by more; a wrong kernel is off by all of it.
MOST_RELATIVE_ERROR = 0.1
MOST_ENTROPY_ERROR = 0.25  # nats


def why_kernels_fail(model: DiffusionGemma) -> str | None:
    """What is wrong with the kernels on the model's device; None when nothing is.

    Compiles and captures; waits for the device. Modifies nothing. With too little memory for the
    comparison the kernels count as right.
    """
    part = first_layers(model)
    canvas_ids = torch.arange(_NUM_CANVAS)[None] * 7 % model.config.vocab_size
    try:
        with only_references(model.device):
            want = _look(EagerForward(part), canvas_ids)
    except torch.OutOfMemoryError:
        logger.warning("the kernels were not compared: too little memory for the references")
        return None
    try:
        got = _look(CapturedForward(part, _NUM_PROMPT), canvas_ids)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever a compiler or a driver may raise
        return f"{type(error).__name__} in a trial step"
    hidden_error = median_error(got[0], want[0])
    entropy_error = (got[1] - want[1]).abs().median().item()
    logger.info(
        "kernels against references: hidden states differ by %.2g, entropies by %.2g nats",
        hidden_error,
        entropy_error,
    )
    if hidden_error <= MOST_RELATIVE_ERROR and entropy_error <= MOST_ENTROPY_ERROR:
        return None
    return (
        f"a trial step differs from the references: hidden states by {hidden_error:.1%}, "
        f"entropies by {entropy_error:.2f} nats"
    )


def first_layers(model: DiffusionGemma) -> DiffusionGemma:
    """The same weights with as few of the first layers as hold every kind of layer."""
    types = model.config.layer_types
    num_layers = max(types.index(kind) for kind in set(types)) + 1
    part = copy.copy(model)
    part._modules = dict(model._modules)
    part.layers = nn.ModuleList(list(model.layers)[:num_layers])
    part.config = replace(model.config, num_layers=num_layers, layer_types=types[:num_layers])
    return part


def _look(forward: Forward, canvas_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden states [T, E] of a prefill, entropies of a second step, which has a belief."""
    vocab_size = forward.model.config.vocab_size
    hidden = forward.prefill([(11 * i) % vocab_size for i in range(_NUM_PROMPT)]).float().cpu()
    ids = canvas_ids.to(forward.canvas_device)
    canvas = Canvas(ids, torch.zeros_like(ids, dtype=torch.bool))
    random = SeededRandom(0, vocab_size, forward.canvas_device)
    canvas.soft_embeddings = forward.predict(canvas, 0.0, random, None).soft_embeddings
    return hidden, forward.predict(canvas, 0.0, random, None).entropy.float().cpu()


def median_error(got: Tensor, want: Tensor) -> float:
    """Of each row, relative to its norm; infinite where a number is none."""
    errors = (got - want).norm(dim=-1) / want.norm(dim=-1)
    return errors.nan_to_num(nan=float("inf")).median().item()
