"""Trains an embedded model: `python -m training.train --preset cpu --shards DIR --out DIR`.

One loop for a CPU, a GPU and a toy test: batches from shards, losses, a step of the optimizer, a
line of progress, now and then a checkpoint and an evaluation. What is optimised is
`training.objective`'s business, how fast `training.schedule`'s. A file `decay` in the run's folder
ends the run early with cooled-down weights.
"""

import argparse
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from infill_engine.checkpoint.loader import load_model
from infill_engine.model.diffusion_gemma import DiffusionGemma
from training.evaluate import Decoding, Quality, evaluate
from training.initialise import initialise
from training.loss_log import Position, Reporter
from training.noise import NOISES
from training.objective import Canvases, Losses, choose_canvases, compute_losses
from training.optimizer import LearningRates, Optimizer
from training.presets import PRESETS, Preset
from training.router_balance import RouterBalance
from training.schedule import Schedule, seconds_until
from training.shards import ShardReader
from training.state import has_state, load_state, save_state, weights_only

CHECKPOINT = "checkpoint"
LIGHT_CHECKPOINT = "light"
_OVERRIDES = "batch_size max_context matrix_lr embedding_lr scalar_lr ema_decay".split()


class Trainer:
    """A model, its optimizer and its place in the data; `step` is all there is to training.

    Args:
        preset: sizes and settings.
        reader: the training examples.
        device: where the model runs.
        seed: of weights, order and noise.
        uses_muon: see `Optimizer`.
    """

    def __init__(
        self,
        preset: Preset,
        reader: ShardReader,
        device: torch.device,
        seed: int = 0,
        uses_muon: bool = True,
    ) -> None:
        self.preset, self._reader, self._seed = preset, reader, seed
        self.model = DiffusionGemma(preset.model)
        initialise(self.model, seed)
        self.model.to(device, getattr(torch, preset.dtype))
        rates = LearningRates(preset.matrix_lr, preset.embedding_lr, preset.scalar_lr)
        self.optimizer = Optimizer(self.model, rates, preset.ema_decay, uses_muon)
        self._balance = RouterBalance(self.model)
        self._generator = torch.Generator().manual_seed(seed + 1)
        self.position = Position()
        self._batches = self._stream()

    def step(self, factor: float) -> Losses:
        """Train on one batch at `factor` times the peak learning rates."""
        losses = compute_losses(
            self.model, next(self._batches), self.preset.objective, self._generator
        )
        (losses.total + self._balance.take_loss()).backward()
        self.optimizer.step(factor)
        self.position.step += 1
        self.position.num_tokens += losses.num_tokens
        return losses

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on bit-exactly."""
        return {
            "model_config": self.preset.model.to_dict(),
            "noise": self.preset.objective.noise,
            "max_context": self.preset.max_context,
            "position": dataclasses.asdict(self.position),
            "generator": self._generator.get_state(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was saved."""
        self.optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"])
        self.position = Position(**state["position"])
        self._batches = self._stream()

    def _stream(self) -> Iterator[Canvases]:
        """Batches from the current position on, epoch after epoch; moves the position."""
        while True:
            batches = self._reader.epoch(
                self.preset.batch_size,
                self._seed,
                self.position.epoch,
                self.position.batch_idx,
                self.preset.max_context,
            )
            num_read = 0
            for batch in batches:
                num_read += 1
                self.position.batch_idx += 1
                yield choose_canvases(
                    batch,
                    self.preset.model.canvas_length,
                    self.preset.objective.num_splits,
                    self._generator,
                )
            if num_read == 0 and self.position.batch_idx == 0:
                raise ValueError(
                    f"the shards hold fewer examples than one batch of {self.preset.batch_size}"
                )
            self.position.epoch += 1
            self.position.batch_idx = 0


def evaluate_average(trainer: Trainer, reader: ShardReader, num_examples: int) -> Quality:
    """Score the averaged weights; the model has its working weights again afterwards."""
    parameters = dict(trainer.model.named_parameters())
    with torch.no_grad():
        for name, average in trainer.optimizer.masters(averaged=True).items():
            parameters[name].copy_(average)
    try:
        objective = trainer.preset.objective
        decoding = Decoding(
            order="surest" if objective.noise == "uniform" else "leading",
            uses_beliefs=objective.self_conditioning_share > 0,
        )
        return evaluate(trainer.model, reader, objective.noise, decoding, num_examples)
    finally:
        with torch.no_grad():
            for name, master in trainer.optimizer.masters(averaged=False).items():
                parameters[name].copy_(master)


def run(flags: argparse.Namespace) -> None:
    """Train until the schedule ends."""
    torch.set_num_threads(flags.threads)
    flags.out.mkdir(parents=True, exist_ok=True)
    preset = with_overrides(PRESETS[flags.preset], flags)
    if flags.fuse:
        from training.fused_ops import use_fused_ops

        use_fused_ops()
    trainer = Trainer(
        preset,
        ShardReader(flags.shards, "train"),
        torch.device(flags.device),
        flags.seed,
        uses_muon=flags.matrices == "muon",
    )
    num_parameters = sum(p.numel() for p in trainer.model.parameters())
    print(f"{num_parameters / 1e6:.1f} M parameters, {preset}", flush=True)
    if flags.start_from:
        start_from(trainer, flags.start_from)
    resume(trainer, flags)
    dev = ShardReader(flags.shards, "dev") if flags.eval_examples else None
    minutes = seconds_until(flags.finish_by) / 60 if flags.finish_by else flags.minutes
    seconds = None if flags.steps else minutes * 60
    schedule = Schedule(flags.steps or None, seconds, flags.out / "decay", flags.decay_share)
    reporter = Reporter(flags.out, flags.report_every)
    former, began = trainer.position.seconds, time.monotonic()
    last_checkpoint = last_evaluation = began
    while (factor := schedule.factor(trainer.position.step)) > 0:
        losses = trainer.step(factor)
        now = time.monotonic()
        trainer.position.seconds = former + now - began
        reporter.step(trainer.position, losses, factor, schedule.remaining())
        if now - last_checkpoint > flags.checkpoint_minutes * 60:
            save(trainer, flags.out)
            last_checkpoint = time.monotonic()
        if dev is not None and now - last_evaluation > flags.eval_minutes * 60:
            reporter.quality(trainer.position, evaluate_average(trainer, dev, flags.eval_examples))
            last_evaluation = time.monotonic()
    save(trainer, flags.out)
    save_state(
        flags.out / LIGHT_CHECKPOINT,
        weights_only(trainer.state_dict()),
        dataclasses.asdict(trainer.position),
    )
    if dev is not None:
        reporter.quality(trainer.position, evaluate_average(trainer, dev, flags.eval_examples))
    print("finished", flush=True)


def save(trainer: Trainer, out: Path) -> None:
    """Write a full checkpoint."""
    save_state(out / CHECKPOINT, trainer.state_dict(), dataclasses.asdict(trainer.position))


def start_from(trainer: Trainer, folder: Path) -> None:
    """Take over the weights of a model folder, such as the one that ships.

    Raises:
        ValueError: the folder's model has other sizes than the preset's.
    """
    model = load_model(folder, torch.device("cpu"), torch.float32)
    if model.config != trainer.preset.model:
        raise ValueError(f"{folder} holds {model.config}; the preset wants {trainer.preset.model}")
    tensors = {f"master/{name}": weight.data for name, weight in model.named_parameters()}
    trainer.optimizer.load_state_dict({"num_steps": 0, "tensors": tensors})
    print(f"started from {folder}", flush=True)


def resume(trainer: Trainer, flags: argparse.Namespace) -> None:
    """Load the checkpoint that `--resume` names; `auto` means the run's own, where it has one."""
    if flags.resume == "none":
        return
    folder = flags.out / CHECKPOINT if flags.resume == "auto" else Path(flags.resume)
    if flags.resume == "auto" and not has_state(folder):
        return
    trainer.load_state_dict(load_state(folder))
    print(f"resumed {folder} at step {trainer.position.step}", flush=True)


def with_overrides(preset: Preset, flags: argparse.Namespace) -> Preset:
    """The preset with what the command line changes."""
    objective, model = preset.objective, preset.model
    if flags.noise:
        objective = dataclasses.replace(objective, noise=flags.noise)
    if flags.self_conditioning is not None:
        objective = dataclasses.replace(objective, self_conditioning_share=flags.self_conditioning)
    if flags.splits is not None:
        objective = dataclasses.replace(objective, num_splits=flags.splits)
    if flags.canvas:
        model = dataclasses.replace(model, canvas_length=flags.canvas)
    if flags.vocab_size:
        model = dataclasses.replace(model, vocab_size=flags.vocab_size)
    changes = {name: getattr(flags, name) for name in _OVERRIDES if getattr(flags, name)}
    return dataclasses.replace(preset, objective=objective, model=model, **changes)


def parse_flags(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    add = parser.add_argument
    add("--preset", choices=list(PRESETS), default="cpu")
    add("--shards", type=Path, default=Path(".training/packed"))
    add("--out", type=Path, required=True, help="the run's folder")
    add("--device", default="cpu")
    add("--minutes", type=float, default=25.0, help="length of this run")
    add("--finish-by", metavar="HH:MM", help="length of this run, by the clock")
    add("--steps", type=int, default=0, help="length of the whole training in steps, not in time")
    add("--decay-share", type=float, default=0.25, help="share of the run that cools down")
    add("--resume", default="auto", help="auto, none, or a checkpoint's folder")
    add("--start-from", type=Path, metavar="DIR", help="a model folder whose weights to begin with")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=1)
    add("--fuse", action="store_true", help="compile small operations (CPU)")
    add("--noise", choices=NOISES)
    add("--canvas", type=int, help="tokens in a canvas")
    add("--vocab-size", type=int)
    add("--self-conditioning", type=float, help="share of batches with it")
    add("--splits", type=int, help="canvases per example that start at random in the prefix")
    add("--matrices", choices=["muon", "adam"], default="muon")
    for name in ("--matrix-lr", "--embedding-lr", "--scalar-lr", "--ema-decay"):
        add(name, type=float)
    add("--batch-size", type=int)
    add("--max-context", type=int, help="leave out examples packed for longer contexts")
    add("--report-every", type=int, default=10, help="steps")
    add("--checkpoint-minutes", type=float, default=5.0)
    add("--eval-minutes", type=float, default=10.0)
    add("--eval-examples", type=int, default=192, help="0 leaves evaluation out")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run(parse_flags())
