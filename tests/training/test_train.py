"""A toy run on counting sequences learns, and a resumed run repeats an uninterrupted one."""

import json
from pathlib import Path

import pytest
import torch

from tests.training.toy_shards import VOCAB_SIZE, write_toy_shards
from training import train
from training.export import model_of
from training.loss_log import LOSS_LOG
from training.state import load_state


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_shards(tmp_path_factory.mktemp("shards"))


def run(shards: Path, out: Path, steps: int, *more: str) -> list[dict[str, float]]:
    threads = torch.get_num_threads()
    arguments = [
        *("--preset", "toy", "--vocab-size", str(VOCAB_SIZE), "--shards", str(shards)),
        *("--out", str(out), "--steps", str(steps), "--decay-share", "0", "--report-every", "1"),
        *("--eval-examples", "0", *more),
    ]
    try:
        train.run(train.parse_flags(arguments))
    finally:
        torch.set_num_threads(threads)
    return read_log(out)


def read_log(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / LOSS_LOG).read_text().splitlines()]


def losses(log: list[dict[str, float]]) -> list[tuple[float, float, float]]:
    return [(row["encoder"], row["full"], row["partial"]) for row in log]


def test_loss_falls(shards: Path, tmp_path: Path) -> None:
    log = run(shards, tmp_path / "run", 60)
    for name in ("encoder", "full", "partial"):
        first = sum(row[name] for row in log[:5]) / 5
        last = sum(row[name] for row in log[-5:]) / 5
        assert last < 0.7 * first, name


def test_resumes_bit_exactly(shards: Path, tmp_path: Path) -> None:
    whole = run(shards, tmp_path / "whole", 8)
    run(shards, tmp_path / "halves", 4)
    halves = run(shards, tmp_path / "halves", 8)
    assert losses(halves) == losses(whole)
    states = [load_state(tmp_path / name / "checkpoint") for name in ("whole", "halves")]
    for name, tensor in states[0]["optimizer"]["tensors"].items():
        assert torch.equal(tensor, states[1]["optimizer"]["tensors"][name]), name


def test_resumes_across_an_epoch(shards: Path, tmp_path: Path) -> None:
    trainer = train.Trainer(
        train.with_overrides(
            train.PRESETS["toy"],
            train.parse_flags(["--out", "x", "--vocab-size", "96", "--batch-size", "256"]),
        ),
        train.ShardReader(shards, "train"),
        torch.device("cpu"),
    )
    for _ in range(2):
        trainer.step(1.0)
    assert trainer.position.epoch == 1
    assert trainer.position.batch_idx == 1


def test_evaluates_and_leaves_the_weights_alone(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(shards, out, 3, "--eval-examples", "24")
    quality = read_log(out)[-1]["quality"]
    assert isinstance(quality, dict)
    assert quality["num_examples"] == 24
    assert 0 <= quality["exact_match"] <= 1
    model = model_of(load_state(out / "checkpoint"), averaged=False)
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())


def test_adam_learns_too(shards: Path, tmp_path: Path) -> None:
    log = run(shards, tmp_path / "run", 12, "--matrices", "adam")
    assert log[-1]["encoder"] < log[0]["encoder"]
