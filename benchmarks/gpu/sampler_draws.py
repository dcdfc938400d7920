"""Whether the samplers draw from the distribution they say: chi-square over many draws.

A small vocabulary, the same hidden state in every row, so that each draw is one of few tokens and
expected counts are large. Checks the kernels' sampler where it is there, and the plain one always.
"""

from collections.abc import Callable

import torch
from infill_kernels import token_statistics
from torch import Tensor

from benchmarks.gpu.kernel_choice import using
from benchmarks.gpu.op import Arguments, Draw, Function, find
from benchmarks.gpu.product_ops import TEMPERATURE, head_inputs
from benchmarks.gpu.run import Data, Run
from infill_engine.model.config import ModelConfig
from infill_engine.random_source import SeededRandom

SMALLEST_P = 1e-4  # a right sampler falls below it once in 10,000 seeds
_NUM_ROWS, _VOCAB, _HIDDEN = 256, 257, 64
_LEAST_EXPECTED = 5.0  # counts below it are put together, as the test asks


def check_draws(run: Run) -> list[Data]:
    """One line for each sampler."""
    device, num_draws = run.scale.device, run.scale.num_draws
    config = ModelConfig(vocab_size=_VOCAB, hidden_size=_HIDDEN)
    # One random row, repeated.
    arguments = head_inputs(Draw(config, _NUM_ROWS, 0, device, run.seed))
    arguments = (arguments[0][:1].expand(_NUM_ROWS, -1).contiguous(), *arguments[1:])
    lines = [_line(run, "plain", lambda: _plain_p(arguments[0], arguments[1], run.seed, num_draws))]
    where = "sampler_fused" if device.type == "cuda" else "sampler"
    predict = find(f"infill_kernels.{where}:predict_tokens")
    if predict is None:
        lines.append({"sampler": where, "status": "not there"})
    else:
        lines.append(
            _line(run, where, lambda: _predicted_p(predict, arguments, run.seed, num_draws))
        )
    for line in lines:
        run.log(f"draws, {line}")
    return lines


def chi_square_p(counts: Tensor, probabilities: Tensor) -> float:
    """How likely counts as uneven as these, or more, are.

    Args:
        counts: [V] of independent draws.
        probabilities: [V] float64, adding up to 1.
    """
    order = probabilities.argsort()
    expected = probabilities[order] * counts.sum()
    observed = counts[order].double()
    # The rare ones become one bin, so that every bin expects enough.
    num_rare = int((expected.cumsum(0) < _LEAST_EXPECTED).sum()) + 1
    num_rare = max(num_rare, int((expected < _LEAST_EXPECTED).sum()))
    expected = torch.cat([expected[:num_rare].sum()[None], expected[num_rare:]])
    observed = torch.cat([observed[:num_rare].sum()[None], observed[num_rare:]])
    statistic = ((observed - expected) ** 2 / expected).sum()
    half_degrees = torch.tensor((len(expected) - 1) / 2, dtype=torch.float64)
    return float(torch.special.gammaincc(half_degrees, statistic.cpu() / 2))


def _line(run: Run, name: str, p_value: Callable[[], float]) -> Data:
    try:
        found = p_value()
    except Exception as error:  # one sampler's failure must not hide the other
        return {"sampler": name, "status": "failed", "why": run.note_failure(name, error)}
    return {"sampler": name, "p": found, "status": "ok" if found >= SMALLEST_P else "wrong"}


def _plain_p(hidden: Tensor, table: Tensor, seed: int, num_draws: int) -> float:
    logits = (hidden @ table.T).float() / TEMPERATURE
    shares = token_statistics(logits).probabilities
    random = SeededRandom(seed, _VOCAB, hidden.device)
    drawn = torch.cat([random.sample(shares) for _ in range(num_draws)])
    return chi_square_p(torch.bincount(drawn, minlength=_VOCAB), logits[0].double().softmax(-1))


def _predicted_p(predict: Function, arguments: Arguments, seed: int, num_draws: int) -> float:
    drawn: list[Tensor] = []
    logits = arguments[0].new_zeros(0)
    with torch.no_grad(), using("triton"):
        for draw_idx in range(num_draws):
            seeds = torch.tensor([seed, draw_idx], device=arguments[0].device)
            predicted = predict(*arguments[:5], seeds, *arguments[6:])
            drawn.append(predicted.sampled)
            logits = predicted.logits
    counts = torch.bincount(torch.cat(drawn), minlength=_VOCAB)
    return chi_square_p(counts, (logits[0].double() / TEMPERATURE).softmax(-1))
