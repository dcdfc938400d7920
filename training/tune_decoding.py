"""Chooses decoding settings on gaps of the dev packages: `python -m training.tune_decoding`.

Tries entropy bounds, orders of acceptance and numbers of steps with the engine itself, without
drafts, and prints a line for each; `--write` puts the best by exact match into the folder's
generation_config.json, of equal ones the one with fewer steps. `--json FILE` keeps what was tried
as JSON lines, for `training.plots`.
"""

import argparse
import dataclasses
import json
from itertools import product
from pathlib import Path

import numpy as np

from infill_engine.acceptance import ACCEPTANCE_ORDERS
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import (
    GenerationConfig,
    read_generation_config,
    write_generation_config,
)
from training.examples import read_corpus
from training.gap_filling import Guess, gaps, guess, summary


def _row(settings: GenerationConfig, guesses: list[Guess]) -> dict[str, float | str]:
    count = len(guesses)
    p50_ms, p95_ms = np.percentile([one.result.timings_ms["total"] for one in guesses], [50, 95])
    return {
        "max_steps": settings.max_denoising_steps,
        "bound": settings.entropy_bound,
        "order": settings.acceptance_order,
        "exact_match": sum(one.is_exact for one in guesses) / count,
        "mean_steps": sum(one.result.num_steps for one in guesses) / count,
        "p50_ms": round(float(p50_ms), 1),
        "p95_ms": round(float(p95_ms), 1),
    }


def main() -> None:
    """Try every combination; print, and write when asked."""
    parser = argparse.ArgumentParser(prog="python -m training.tune_decoding", description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=Path("infill_engine/embedded"))
    add("--corpus", type=Path, default=Path(".training/corpus"))
    add("--gaps", type=int, default=200)
    add("--seed", type=int, default=1)
    add("--steps", type=int, nargs="+", default=[8, 24])
    add("--bounds", type=float, nargs="+", default=[0.3, 1.0, 2.0], help="nats")
    add("--orders", choices=ACCEPTANCE_ORDERS, nargs="+", default=list(ACCEPTANCE_ORDERS))
    add("--write", action="store_true")
    add("--json", type=Path, help="a file to write")
    flags = parser.parse_args()
    found = list(gaps(read_corpus(flags.corpus / "dev.jsonl"), flags.gaps, flags.seed))
    generation = read_generation_config(flags.model)
    tried: list[tuple[float, float, GenerationConfig]] = []
    rows: list[str] = []
    for num_steps, bound, order in product(flags.steps, flags.bounds, flags.orders):
        settings = dataclasses.replace(
            generation,
            max_denoising_steps=num_steps,
            entropy_bound=bound,
            acceptance_order=order,
            drafting=None,
        )
        engine = Engine.load(EngineConfig(model=str(flags.model)), generation=settings)
        guesses = [guess(engine, gap) for gap in found]
        print(summary(f"at most {num_steps} steps, bound {bound}, {order}", guesses), flush=True)
        exact = sum(one.is_exact for one in guesses)
        taken = sum(one.result.num_steps for one in guesses)
        tried.append((exact, -taken, settings))
        rows.append(json.dumps(_row(settings, guesses)))
    if flags.json:
        flags.json.write_text("\n".join(rows) + "\n", encoding="utf-8")
    *_, best = max(tried, key=lambda one: one[:2])
    if flags.write:
        kept = dataclasses.replace(best, drafting=generation.drafting)
        write_generation_config(flags.model, kept)


if __name__ == "__main__":
    main()
