"""What an unknown length costs: `python -m training.length_score`.

Fills the same gaps with the engine itself as ever and knowing how many tokens stood there, without
drafts and without stopping early. The share of exactly right gaps of the first over that of the
second is the length score; 100 % would be perfect length control. In line mode the line's end
ends a middle too, in block mode only the model's end mark does. Gaps of several lines are seldom
exactly right; compare their right characters.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from infill_engine.api import Mode
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import read_generation_config
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
    """Fill every gap with unknown and with known length; print."""
    parser = argparse.ArgumentParser(prog="python -m training.length_score", description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=Path("infill_engine/embedded"))
    add("--corpus", type=Path, default=Path(".training/corpus"))
    add("--split", choices=("dev", "heldout"), default="dev")
    add("--gaps", type=int, default=200, help="of one line; half as many of several lines")
    add("--seed", type=int, default=1)
    flags = parser.parse_args()
    files = read_corpus(flags.corpus / f"{flags.split}.jsonl")
    one_line = list(gaps(files, flags.gaps, flags.seed))
    asked = {
        "line mode, one line": one_line,
        "block mode, one line": in_mode(one_line, "block"),
        "block mode, several lines": list(gaps_of_lines(files, flags.gaps // 2, flags.seed)),
    }
    settings = dataclasses.replace(
        read_generation_config(flags.model), calibration=None, drafting=None
    )
    engine = Engine.load(EngineConfig(model=str(flags.model)), generation=settings)
    for label, found in asked.items():
        unknown = [guess(engine, gap) for gap in found]
        print(summary(f"{label}, length unknown", unknown), flush=True)
        known = [guess_at_right_length(engine, gap) for gap in found]
        print(summary(f"{label}, length known", known), flush=True)
        print(f"{label}: {length_score(unknown, known)}", flush=True)


if __name__ == "__main__":
    main()
