"""Chooses decoding settings by exact match on dev examples: `python -m training.tune_decoding`.

Tries numbers of steps and entropy bounds, with and without self-conditioning, and prints a table;
`--write` puts the best pair into the folder's generation_config.json, preferring fewer steps when
scores are equal. Uses training's decoder, which is the engine's without its editor rules.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import torch

from infill_engine.checkpoint.loader import load_model
from infill_engine.generation_config import read_generation_config
from training.evaluate import Decoding, evaluate
from training.shards import ShardReader


def main() -> None:
    """Try every combination; print, and write when asked."""
    parser = argparse.ArgumentParser(prog="python -m training.tune_decoding", description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=Path("infill_engine/embedded"))
    add("--shards", type=Path, default=Path(".training/packed"))
    add("--split", default="dev")
    add("--examples", type=int, default=192)
    add("--steps", type=int, nargs="+", default=[4, 8])
    add("--bounds", type=float, nargs="+", default=[0.3, 1.0, 3.0], help="nats")
    add("--write", action="store_true")
    add("--threads", type=int, default=1)
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    model = load_model(flags.model, torch.device("cpu"), torch.float32)
    generation = read_generation_config(flags.model)
    reader = ShardReader(flags.shards, flags.split)
    best: tuple[float, Decoding] | None = None
    for num_steps in sorted(flags.steps):
        for bound in flags.bounds:
            for uses_beliefs in (True, False):
                decoding = Decoding(num_steps, bound, uses_beliefs)
                quality = evaluate(
                    model, reader, generation.noise, decoding, flags.examples, levels=()
                )
                print(
                    f"steps {num_steps} bound {bound} self-conditioning {uses_beliefs}: exact "
                    f"{quality.exact_match:.1%}, right length {quality.right_length:.1%}",
                    flush=True,
                )
                score = quality.exact_match
                if uses_beliefs and (best is None or score > best[0]):
                    best = (score, decoding)
    if flags.write and best is not None:
        tuned = dataclasses.replace(
            generation,
            max_denoising_steps=best[1].num_steps,
            entropy_bound=best[1].entropy_bound,
        )
        text = json.dumps(tuned.to_dict(), indent=2)
        (flags.model / "generation_config.json").write_text(text + "\n", encoding="utf-8")
        print(f"wrote {best[1]}")


if __name__ == "__main__":
    main()
