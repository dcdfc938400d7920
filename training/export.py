"""Turns a run's checkpoint into a model folder: `python -m training.export --run DIR --to DIR`.

Averaged weights, int8 matrices, official tensor names; the tokenizer stays as it lies there.
Scores the weights before and after rounding to int8 on the dev examples. Knows the run only by
its checkpoint.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from infill_engine.checkpoint.loader import load_model
from infill_engine.checkpoint.writer import save_checkpoint
from infill_engine.generation_config import GenerationConfig, read_generation_config
from infill_engine.model.config import ModelConfig
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.prompt_format import SPECIAL_TOKEN_NAMES
from training.evaluate import Decoding, evaluate
from training.noise import Noise
from training.shards import ShardReader
from training.state import load_state

MAX_BYTES = 64 * 2**20


# As often right as with 32, in two thirds of the time (decision 0014).
_LINE_CANVAS_TOKENS = 16
_LONGEST_PACKED = 512  # the longest context that training.packing makes by default


def default_generation(noise: Noise, max_context: int) -> GenerationConfig:
    """Settings for a model of this project that nobody has tuned yet: greedy, from the left."""
    return GenerationConfig(
        max_denoising_steps=32,
        entropy_bound=0.5,
        acceptance_order="leading" if noise != "uniform" else "surest",
        t_min=0.0,
        t_max=0.0,
        stability_threshold=1,
        confidence_threshold=0.05,
        eos_token_ids=(SPECIAL_TOKEN_NAMES.index("<|end_of_middle|>"),),
        pad_token_id=SPECIAL_TOKEN_NAMES.index("<pad>"),
        bos_token_id=SPECIAL_TOKEN_NAMES.index("<bos>"),
        noise="uniform" if noise == "uniform" else "mask",
        max_context_tokens=max_context or _LONGEST_PACKED,
        line_canvas_tokens=_LINE_CANVAS_TOKENS,
    )


@torch.no_grad()
def model_of(state: dict[str, Any], averaged: bool) -> DiffusionGemma:
    """The float32 model in a checkpoint."""
    model = DiffusionGemma(ModelConfig.from_dict(state["model_config"]))
    tensors = state["optimizer"]["tensors"]
    kind = "average" if averaged and any(n.startswith("average/") for n in tensors) else "master"
    for name, parameter in model.named_parameters():
        parameter.copy_(tensors[f"{kind}/{name}"])
    return model.eval()


def export(state: dict[str, Any], to: Path, averaged: bool, keeps_generation: bool) -> None:
    """Write the model folder.

    Args:
        state: a checkpoint.
        to: the folder; a tokenizer.json in it stays.
        averaged: averaged weights rather than the last ones.
        keeps_generation: keep the generation_config.json there, where there is one.

    Raises:
        ValueError: the weights file is larger than this project allows.
    """
    generation = default_generation(state["noise"], state.get("max_context", 0))
    if keeps_generation and (to / "generation_config.json").is_file():
        generation = read_generation_config(to)
    save_checkpoint(to, model_of(state, averaged), True, generation.to_dict())
    size = (to / "model.safetensors").stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"the weights have {size} bytes; at most {MAX_BYTES} are allowed")


def main() -> None:
    """Export, and print the quality before and after."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    add = parser.add_argument
    add("--run", type=Path, required=True, help="a run's folder, or a checkpoint's")
    add("--to", type=Path, default=Path("infill_engine/embedded"))
    add("--weights", choices=["average", "last"], default="average")
    add("--keep-generation-config", action="store_true")
    add("--shards", type=Path, default=Path(".training/packed"))
    add("--split", default="dev", help="dev or heldout: which examples to score")
    add("--eval-examples", type=int, default=192, help="0 leaves the scores out")
    add("--threads", type=int, default=1)
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    folder = flags.run / "checkpoint" if (flags.run / "checkpoint").is_dir() else flags.run
    state = load_state(folder)
    export(state, flags.to, flags.weights == "average", flags.keep_generation_config)
    size = (flags.to / "model.safetensors").stat().st_size
    print(json.dumps({"position": state["position"], "bytes": size}))
    if not flags.eval_examples:
        return
    examples = ShardReader(flags.shards, flags.split)
    generation = read_generation_config(flags.to)
    decoding = Decoding(
        generation.max_denoising_steps, generation.entropy_bound, generation.acceptance_order
    )
    before = model_of(state, flags.weights == "average")
    after = load_model(flags.to, torch.device("cpu"), torch.float32)
    for label, model in (("before int8", before), ("after int8", after)):
        quality = evaluate(model, examples, state["noise"], decoding, flags.eval_examples)
        print(f"{label}: {quality.line()}", flush=True)


if __name__ == "__main__":
    main()
