"""Measures how entropies tell what is right: `python -m training.calibrate --write`.

Fills one-line gaps of the dev packages with the engine itself, fits P(token right | all before it
right) as a logistic function of its entropy, and says on the held-out packages what would be shown
at several thresholds and how much of it is right. `--write` puts the two numbers into the model's
generation_config.json, `--plot FILE` draws the curve. Knows nothing of how text is shown.
"""

import argparse
import dataclasses
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infill_engine.api import InfillRequest, InfillResult, InfillUpdate
from infill_engine.confidence import Calibration
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import read_generation_config
from training.examples import SourceFile, read_corpus
from training.spans import Cut, FileCutter, SpanMix

_ONE_LINE = SpanMix(0, 1, 0, 0, 0, 0, 0)
_SIDE_CHARS = 6_000
_MAX_NEW_TOKENS = 48
_CERTAIN = Calibration(bias=700.0, slope=0.0)  # keeps every token, so that all can be compared
_THRESHOLDS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_NUM_NEWTON_STEPS = 30

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Guess:
    """One filled gap.

    Attributes:
        entropies: nats of each token.
        ends: characters that the tokens up to each one spell.
        num_right_chars: leading characters that stand in the source too.
        is_exact: whether the whole line is right.
    """

    entropies: tuple[float, ...]
    ends: tuple[int, ...]
    num_right_chars: int
    is_exact: bool

    def tokens(self) -> Iterator[tuple[float, bool]]:
        """Entropy and rightness of every token up to the first wrong one."""
        for entropy, end in zip(self.entropies, self.ends, strict=False):
            is_right = end <= self.num_right_chars
            yield entropy, is_right
            if not is_right:
                return


def fit(entropies: F64, is_right: F64) -> Calibration:
    """Logistic regression of `is_right` [N] (0 or 1) on `entropies` [N], by Newton's method.

    A trace of ridge keeps the numbers finite where the two classes can be told apart exactly.
    """
    features = np.stack([np.ones_like(entropies), -entropies], axis=1)
    weights = np.zeros(2)
    ridge = 1e-3 * np.eye(2)
    for _ in range(_NUM_NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-features @ weights))
        gradient = features.T @ (is_right - p) - ridge @ weights
        hessian = (features * (p * (1 - p))[:, None]).T @ features + ridge
        weights = weights + np.linalg.solve(hessian, gradient)
    bias, slope = weights.tolist()
    return Calibration(round(bias, 4), round(max(slope, 0.0), 4))


def gaps(files: list[SourceFile], count: int, seed: int) -> Iterator[tuple[SourceFile, Cut]]:
    """Yield rest-of-line gaps, the same for the same seed, each file as likely as any other."""
    rng = random.Random(seed)
    num_found = 0
    while num_found < count:
        file = rng.choice(files)
        cut = FileCutter(file.text, file.language).cut(rng, _ONE_LINE)
        if cut.middle.strip() and "\n" not in cut.middle:
            num_found += 1
            yield file, cut


def guess(engine: Engine, file: SourceFile, cut: Cut) -> Guess | None:
    """Fill one gap; None when nothing was written or a second canvas was needed."""
    request = InfillRequest(
        cut.prefix[-_SIDE_CHARS:],
        cut.suffix[:_SIDE_CHARS],
        file.language,
        file.path,
        mode="line",
        max_new_tokens=_MAX_NEW_TOKENS,
    )
    entropies: tuple[float, ...] = ()
    for event in engine.stream(request):
        if isinstance(event, InfillUpdate):
            entropies = event.token_entropies
        elif event.num_canvases > 1 or not event.text:
            return None
        else:
            return _compare(event, entropies, cut.middle)
    return None


def _compare(result: InfillResult, entropies: tuple[float, ...], wanted: str) -> Guess:
    num_right = 0
    while num_right < min(len(result.text), len(wanted)) and (
        result.text[num_right] == wanted[num_right]
    ):
        num_right += 1
    ends = tuple(chars for chars, _ in result.leading_confidence)
    return Guess(entropies[: len(ends)], ends, num_right, result.text == wanted)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a threshold would show.

    Attributes:
        threshold: least probability.
        share: of all gaps, those where anything is shown.
        precision: of those, where all that is shown is right.
        mean_chars: characters shown there, mean.
    """

    threshold: float
    share: float
    precision: float
    mean_chars: float


def shown_at(threshold: float, guesses: list[Guess], calibration: Calibration) -> Shown:
    """Apply a threshold to guesses."""
    lengths: list[int] = []
    num_right = 0
    for one in guesses:
        pairs = calibration.of_leading(one.entropies, lambda n, ends=one.ends: ends[n - 1])
        trusted = [chars for chars, p in pairs if p >= threshold]
        num_chars = one.ends[-1] if threshold <= 0 and one.ends else max(trusted, default=0)
        if num_chars:
            lengths.append(num_chars)
            num_right += num_chars <= one.num_right_chars
    count = max(len(lengths), 1)
    return Shown(
        threshold, len(lengths) / max(len(guesses), 1), num_right / count, sum(lengths) / count
    )


def main() -> None:
    """Fit on dev, judge on held-out, print; write and draw when asked."""
    parser = argparse.ArgumentParser(prog="python -m training.calibrate", description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=Path("infill_engine/embedded"))
    add("--corpus", type=Path, default=Path(".training/corpus"))
    add("--gaps", type=int, default=400, help="in each of the two splits")
    add("--seed", type=int, default=0)
    add("--write", action="store_true")
    add("--plot", type=Path, help="an image file")
    flags = parser.parse_args()
    generation = read_generation_config(flags.model)
    engine = Engine.load(
        EngineConfig(model=str(flags.model)),
        generation=dataclasses.replace(generation, calibration=_CERTAIN),
    )
    guesses: dict[str, list[Guess]] = {}
    for split in ("dev", "heldout"):
        files = read_corpus(flags.corpus / f"{split}.jsonl")
        filled = [guess(engine, *gap) for gap in gaps(files, flags.gaps, flags.seed)]
        guesses[split] = [one for one in filled if one is not None]
    tokens = np.array([token for one in guesses["dev"] for token in one.tokens()], float)
    calibration = fit(tokens[:, 0], tokens[:, 1])
    heldout = guesses["heldout"]
    exact = sum(one.is_exact for one in heldout) / max(len(heldout), 1)
    print(f"{calibration}, from {len(tokens)} tokens; held-out exact match {exact:.1%}")
    curve = [shown_at(threshold, heldout, calibration) for threshold in _THRESHOLDS]
    for row in curve:
        print(json.dumps(dataclasses.asdict(row)))
    if flags.write:
        written = dataclasses.replace(generation, calibration=calibration).to_dict()
        text = json.dumps(written, indent=2)
        (flags.model / "generation_config.json").write_text(text + "\n", encoding="utf-8")
    if flags.plot:
        _draw(curve, flags.plot)


def _draw(curve: list[Shown], path: Path) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot([row.share for row in curve], [row.precision for row in curve], "o-")
    for row in curve:
        label, place = f"{row.threshold:g}", (row.share, row.precision)
        axes.annotate(label, place, (4, 4), textcoords="offset points")
    axes.set(
        xlabel="share of gaps where something is shown",
        ylabel="precision: all that is shown is right",
        title="Embedded model, held-out packages, by least confidence",
    )
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
