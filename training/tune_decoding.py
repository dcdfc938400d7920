"""Chooses decoding settings by exact match on dev examples: `python -m training.tune_decoding`.

Tries numbers of steps, entropy bounds and orders of acceptance, and prints a line for each;
`--write` puts the best into the folder's generation_config.json, preferring fewer steps when
scores are equal. Uses training's decoder, which is the engine's without its editor rules.
"""

import argparse
import dataclasses
import json
from itertools import product
from pathlib import Path

import torch

from infill_engine.acceptance import ACCEPTANCE_ORDERS
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
    add("--steps", type=int, nargs="+", default=[8, 32])
    add("--bounds", type=float, nargs="+", default=[0.1, 0.5, 1.5], help="nats")
    add("--orders", choices=ACCEPTANCE_ORDERS, nargs="+", default=list(ACCEPTANCE_ORDERS))
    add("--beliefs", choices=["yes", "no"], nargs="+", default=["yes"], help="self-conditioning")
    add("--write", action="store_true")
    add("--threads", type=int, default=1)
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    model = load_model(flags.model, torch.device("cpu"), torch.float32)
    generation = read_generation_config(flags.model)
    reader = ShardReader(flags.shards, flags.split)
    best: tuple[float, Decoding] | None = None
    for num_steps, bound, order, beliefs in product(
        sorted(flags.steps), flags.bounds, flags.orders, flags.beliefs
    ):
        decoding = Decoding(num_steps, bound, order, beliefs == "yes")
        quality = evaluate(model, reader, generation.noise, decoding, flags.examples, levels=())
        settings = f"steps {num_steps} bound {bound} {order} self-conditioning {beliefs}"
        print(f"{settings}: {quality.line()}", flush=True)
        if decoding.uses_beliefs and (best is None or quality.exact_match > best[0]):
            best = (quality.exact_match, decoding)
    if flags.write and best is not None:
        tuned = dataclasses.replace(
            generation,
            max_denoising_steps=best[1].num_steps,
            entropy_bound=best[1].entropy_bound,
            acceptance_order=best[1].order,
        )
        text = json.dumps(tuned.to_dict(), indent=2)
        (flags.model / "generation_config.json").write_text(text + "\n", encoding="utf-8")
        print(f"wrote {best[1]}")


if __name__ == "__main__":
    main()
