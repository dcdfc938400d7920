"""Measures what a model's numbers mean for an editor: `python -m training.calibrate --write`.

Fills one-line gaps of the dev packages with the engine itself and fits how likely a token is right,
by its entropy for denoised tokens, by likelihood and strength of the source for tokens drafted
from the file. On the held-out packages it then says what is exactly right with and without drafts,
and what would be shown at several thresholds. `--write` puts the numbers into the model's
generation_config.json, `--plot FILE` draws the curve. Knows nothing of how text is shown.
"""

import argparse
import dataclasses
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infill_engine.confidence import Calibration
from infill_engine.config import EngineConfig
from infill_engine.draft_check import DraftCalibration
from infill_engine.engine import Engine
from infill_engine.generation_config import (
    GenerationConfig,
    read_generation_config,
    write_generation_config,
)
from infill_engine.tokenizer import Tokenizer
from training.examples import read_corpus
from training.gap_filling import Gap, Guess, gaps, guess, summary
from training.logistic import fit_logistic

CERTAIN = Calibration(bias=700.0, slope=0.0)  # every token is named, so that all can be compared
_THRESHOLDS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def fit_denoised(guesses: list[Guess]) -> Calibration:
    """How the entropy of a denoised token tells whether it is right."""
    tokens = np.array([token for one in guesses for token in one.tokens()], float)
    bias, weight = fit_logistic(tokens[:, :1], tokens[:, 1])
    return Calibration(bias, max(-weight, 0.0))


def judged_tokens(
    engine: Engine, tokenizer: Tokenizer, gap: Gap
) -> Iterator[tuple[float, float, bool]]:
    """Log probability, log of strength and rightness of a draft's tokens to the first wrong one."""
    judged = engine.judge_context_draft(gap.request)
    if judged is None:
        return
    ids = [token.token_id for token in judged.tokens]
    wanted = judged.healed + gap.wanted
    for num_tokens, token in enumerate(judged.tokens, start=1):
        text = tokenizer.decode(ids[:num_tokens])
        is_end = token.token_id in tokenizer.special_ids
        is_right = text == wanted if is_end else wanted.startswith(text)
        yield token.log_probability, math.log1p(judged.strength), is_right
        if not is_right:
            return


def fit_drafted(rows: list[tuple[float, float, bool]], least: float) -> DraftCalibration:
    """How likelihood and strength tell whether a drafted token is right."""
    table = np.array(rows, float)
    bias, likelihood, strength = fit_logistic(table[:, :2], table[:, 2])
    return DraftCalibration(bias, likelihood, strength, least)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a threshold shows.

    Attributes:
        threshold: least probability.
        share: of all gaps, those where anything is shown.
        precision: of those, where all that is shown is right.
        recall: of all gaps, those where something is shown and all of it is right.
        mean_chars: characters shown there, mean.
    """

    threshold: float
    share: float
    precision: float
    recall: float
    mean_chars: float


def shown_at(threshold: float, guesses: list[Guess]) -> Shown:
    """Apply a threshold to guesses."""
    lengths: list[int] = []
    num_right = 0
    for one in guesses:
        num_chars = one.result.num_trusted_chars(threshold)
        if num_chars:
            lengths.append(num_chars)
            num_right += num_chars <= one.num_right_chars
    count = max(len(lengths), 1)
    return Shown(
        threshold,
        round(len(lengths) / max(len(guesses), 1), 4),
        round(num_right / count, 4),
        round(num_right / max(len(guesses), 1), 4),
        round(sum(lengths) / count, 1),
    )


def _load(model: Path, generation: GenerationConfig) -> Engine:
    return Engine.load(EngineConfig(model=str(model)), generation=generation)


def main() -> None:
    """Fit on dev, judge on held-out, print; write and draw when asked."""
    parser = argparse.ArgumentParser(prog="python -m training.calibrate", description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=Path("infill_engine/embedded"))
    add("--corpus", type=Path, default=Path(".training/corpus"))
    add("--gaps", type=int, default=400, help="in each of the two splits")
    add("--least", type=float, default=0.5, help="probability from which a draft is taken over")
    add("--seed", type=int, default=0)
    add("--write", action="store_true")
    add("--plot", type=Path, help="an image file")
    flags = parser.parse_args()
    found = {
        split: list(gaps(read_corpus(flags.corpus / f"{split}.jsonl"), flags.gaps, flags.seed))
        for split in ("dev", "heldout")
    }
    generation = read_generation_config(flags.model)
    bare = dataclasses.replace(generation, calibration=CERTAIN, drafting=None)
    engine, tokenizer = _load(flags.model, bare), Tokenizer.from_folder(flags.model)
    calibration = fit_denoised([guess(engine, gap) for gap in found["dev"]])
    rows = [row for gap in found["dev"] for row in judged_tokens(engine, tokenizer, gap)]
    drafting = fit_drafted(rows, flags.least)
    print(f"{calibration}\n{drafting}, from {len(rows)} tokens", flush=True)
    print(summary("held-out, no drafts", [guess(engine, gap) for gap in found["heldout"]]))
    fitted = dataclasses.replace(generation, calibration=calibration, drafting=drafting)
    engine = _load(flags.model, fitted)
    guesses = [guess(engine, gap) for gap in found["heldout"]]
    print(summary("held-out, drafts", guesses))
    curve = [shown_at(threshold, guesses) for threshold in _THRESHOLDS]
    for row in curve:
        print(json.dumps(dataclasses.asdict(row)))
    if flags.write:
        write_generation_config(flags.model, fitted)
    if flags.plot:
        _draw(curve, flags.plot)


def _draw(curve: list[Shown], path: Path) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot([row.recall for row in curve], [row.precision for row in curve], "o-")
    for row in curve:
        label, place = f"{row.threshold:g}", (row.recall, row.precision)
        axes.annotate(label, place, (4, 4), textcoords="offset points")
    axes.set(
        xlabel="recall: something is shown, and all of it is right; share of all gaps",
        ylabel="precision: of the gaps where something is shown",
        title="Embedded model, held-out packages, by least confidence",
    )
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
