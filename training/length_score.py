"""How much is lost because a gap's length is unknown: `python -m training.length_score`.

Fills one-line gaps twice with the engine itself, without drafts and without stopping early: once as
ever, once knowing how many tokens stood in the gap. The share of exactly right gaps of the first
over that of the second is the length score; 100 % would be perfect length control. In line mode the
line's end ends a middle too, in block mode only the model's end mark does.
"""

import argparse
import dataclasses
from pathlib import Path

from infill_engine.api import Mode
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import GenerationConfig, read_generation_config
from training.examples import read_corpus
from training.gap_filling import Gap, Guess, gaps, guess, guess_at_right_length, summary

MODES: tuple[Mode, ...] = ("line", "block")


def length_score(unknown: list[Guess], known: list[Guess]) -> str:
    """One printable line: how far unknown length is from known length, on the same gaps."""
    pairs = [(u.is_exact, k.is_exact) for u, k in zip(unknown, known, strict=True)]
    num_unknown, num_known = (sum(column) for column in zip(*pairs, strict=True))
    return (
        f"length score {num_unknown / max(num_known, 1):.0%}: {num_unknown} exact of {num_known}; "
        f"{pairs.count((False, True))} only with the length known, "
        f"{pairs.count((True, False))} only with it unknown"
    )


def in_mode(found: list[Gap], mode: Mode) -> list[Gap]:
    """The same gaps, asked for in `mode`."""
    return [Gap(dataclasses.replace(gap.request, mode=mode), gap.wanted) for gap in found]


def main() -> None:
    """Fill every gap in both modes with unknown and known length; print."""
    parser = argparse.ArgumentParser(prog="python -m training.length_score", description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=Path("infill_engine/embedded"))
    add("--corpus", type=Path, default=Path(".training/corpus"))
    add("--split", choices=("dev", "heldout"), default="dev")
    add("--gaps", type=int, default=200)
    add("--seed", type=int, default=1)
    flags = parser.parse_args()
    found = list(gaps(read_corpus(flags.corpus / f"{flags.split}.jsonl"), flags.gaps, flags.seed))
    engine = _load(flags.model, read_generation_config(flags.model))
    for mode in MODES:
        asked = in_mode(found, mode)
        unknown = [guess(engine, gap) for gap in asked]
        print(summary(f"{mode} mode, length unknown", unknown), flush=True)
        known = [guess_at_right_length(engine, gap) for gap in asked]
        print(summary(f"{mode} mode, length known", known))
        print(f"{mode} mode, {length_score(unknown, known)}", flush=True)


def _load(model: Path, generation: GenerationConfig) -> Engine:
    whole = dataclasses.replace(generation, calibration=None, drafting=None)
    return Engine.load(EngineConfig(model=str(model)), generation=whole)


if __name__ == "__main__":
    main()
