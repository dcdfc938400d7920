"""What an unknown length costs, and the bias that saves most: `python -m training.length_score`.

Fills the same one-line gaps with the engine itself as ever and knowing how many tokens stood in
the gap, without drafts and without stopping early. The share of exactly right gaps of the first
over that of the second is the length score; 100 % would be perfect length control. In line mode
the line's end ends a middle too, in block mode only the model's end mark does, and
`line_break_bias` keeps it from going on with another line. `--write` puts the best of `--biases`
into the folder's generation_config.json.
"""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infill_engine.api import Mode
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import read_generation_config, write_generation_config
from training.examples import read_corpus
from training.gap_filling import (
    Gap,
    Guess,
    gaps,
    gaps_of_lines,
    guess,
    guess_at_right_length,
    summary,
)

_KEPT_CHARS = 0.9  # ending early is exactly right in short gaps and of no use in long ones


@dataclass(frozen=True, slots=True)
class Trial:
    """Block mode with one bias.

    Attributes:
        bias: nats added to line breaks.
        one_line: one-line gaps filled.
        lines: gaps of several lines filled.
    """

    bias: float
    one_line: list[Guess]
    lines: list[Guess]

    @property
    def num_exact(self) -> int:
        """One-line gaps that are exactly right."""
        return sum(one.is_exact for one in self.one_line)

    @property
    def num_right_chars(self) -> tuple[int, int]:
        """Leading characters that are right, in either kind of gaps."""
        one_line, lines = (
            sum(one.num_right_chars for one in guesses) for guesses in (self.one_line, self.lines)
        )
        return one_line, lines


def best(trials: Sequence[Trial]) -> Trial:
    """The most exactly right, of equals the smallest bias.

    Out of those that keep nine tenths of the right characters of no bias, in either kind of gaps.
    """
    neutral = min(trials, key=lambda trial: abs(trial.bias))
    useful = [
        trial
        for trial in trials
        if all(
            ours >= _KEPT_CHARS * theirs
            for ours, theirs in zip(trial.num_right_chars, neutral.num_right_chars, strict=True)
        )
    ]
    return max(useful, key=lambda trial: (trial.num_exact, -abs(trial.bias)))


def length_score(unknown: Sequence[Guess], known: Sequence[Guess]) -> str:
    """One printable line: how far unknown length is from known length, on the same gaps."""
    pairs = [(u.is_exact, k.is_exact) for u, k in zip(unknown, known, strict=True)]
    num_unknown, num_known = (sum(column) for column in zip(*pairs, strict=True))
    return (
        f"length score {num_unknown / max(num_known, 1):.0%}: {num_unknown} exact of {num_known}; "
        f"{pairs.count((False, True))} only with the length known, "
        f"{pairs.count((True, False))} only with it unknown"
    )


def in_mode(found: Sequence[Gap], mode: Mode) -> list[Gap]:
    """The same gaps, asked for in `mode`."""
    return [Gap(dataclasses.replace(gap.request, mode=mode), gap.wanted) for gap in found]


def main() -> None:
    """Fill every gap in both modes with unknown and known length; print, and write when asked."""
    parser = argparse.ArgumentParser(prog="python -m training.length_score", description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=Path("infill_engine/embedded"))
    add("--corpus", type=Path, default=Path(".training/corpus"))
    add("--split", choices=("dev", "heldout"), default="dev")
    add("--gaps", type=int, default=200, help="of one line; half as many of several lines")
    add("--seed", type=int, default=1)
    add("--biases", type=float, nargs="+", help="nats; only the folder's own unless given")
    add("--write", action="store_true")
    flags = parser.parse_args()
    if flags.write and flags.split != "dev":
        parser.error("--write chooses on dev; heldout is for judging only.")
    files = read_corpus(flags.corpus / f"{flags.split}.jsonl")
    found = list(gaps(files, flags.gaps, flags.seed))
    of_lines = list(gaps_of_lines(files, flags.gaps // 2, flags.seed))
    generation = read_generation_config(flags.model)

    def engine(bias: float) -> Engine:
        settings = dataclasses.replace(
            generation, line_break_bias=bias, calibration=None, drafting=None
        )
        return Engine.load(EngineConfig(model=str(flags.model)), generation=settings)

    unbiased = engine(0.0)
    unknown = _fill("line mode, length unknown", guess, unbiased, found)
    known = _fill("line mode, length known", guess_at_right_length, unbiased, found)
    print(f"line mode: {length_score(unknown, known)}", flush=True)
    blocks = in_mode(found, "block")
    known = _fill("block mode, length known", guess_at_right_length, unbiased, blocks)
    trials: list[Trial] = []
    for bias in flags.biases or [generation.line_break_bias]:
        biased, label = engine(bias), f"block mode, bias {bias:g}"
        one_line = _fill(label, guess, biased, blocks)
        print(f"{label}: {length_score(one_line, known)}", flush=True)
        lines = _fill(f"{label}, several lines", guess, biased, of_lines)
        trials.append(Trial(bias, one_line, lines))
    chosen = best(trials).bias
    print(f"best bias: {chosen:g}")
    if flags.write:
        write_generation_config(
            flags.model, dataclasses.replace(generation, line_break_bias=chosen)
        )


def _fill(
    label: str, fill: Callable[[Engine, Gap], Guess], engine: Engine, found: Sequence[Gap]
) -> list[Guess]:
    guesses = [fill(engine, gap) for gap in found]
    print(summary(label, guesses), flush=True)
    return guesses


if __name__ == "__main__":
    main()
