"""Checkpoints in pieces: whole or refused; and the learning-rate schedule."""

from pathlib import Path

import pytest
import torch

from training import schedule, state
from training.schedule import Schedule


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "PIECE_BYTES", 1000)


def example() -> dict[str, object]:
    return {"numbers": torch.arange(1000), "where": {"step": 3}}


def test_round_trip_in_pieces(tmp_path: Path, small_pieces: None) -> None:
    state.save_state(tmp_path / "c", example(), {"step": 3})
    pieces = sorted((tmp_path / "c").glob("part-*.bin"))
    assert len(pieces) > 3
    assert all(piece.stat().st_size <= 1000 for piece in pieces)
    loaded = state.load_state(tmp_path / "c")
    assert torch.equal(loaded["numbers"], torch.arange(1000))
    assert loaded["where"] == {"step": 3}


def test_saving_again_leaves_no_old_pieces(tmp_path: Path, small_pieces: None) -> None:
    state.save_state(tmp_path / "c", example(), {})
    state.save_state(tmp_path / "c", {"step": 1}, {})
    assert state.load_state(tmp_path / "c") == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("damage", ["missing", "changed", "cut"])
def test_damage_is_named(tmp_path: Path, small_pieces: None, damage: str) -> None:
    state.save_state(tmp_path / "c", example(), {})
    piece = tmp_path / "c" / "part-00001.bin"
    data = piece.read_bytes()
    if damage == "missing":
        piece.unlink()
    else:
        piece.write_bytes(data[:-1] if damage == "cut" else bytes(len(data)))
    with pytest.raises(state.StateError, match=r"part-00001\.bin.*again"):
        state.load_state(tmp_path / "c")


def test_no_checkpoint(tmp_path: Path) -> None:
    assert not state.has_state(tmp_path)
    with pytest.raises(state.StateError, match=r"manifest\.json"):
        state.load_state(tmp_path)


def test_weights_only_keeps_averages_as_masters() -> None:
    tensors = {"master/a": torch.ones(2), "average/a": torch.zeros(2), "moment0/a": torch.ones(2)}
    full = {"step": 1, "optimizer": {"num_steps": 9, "tensors": tensors}}
    light = state.weights_only(full)["optimizer"]
    assert light["num_steps"] == 0
    assert set(light["tensors"]) == {"master/a"}
    assert light["tensors"]["master/a"].dtype == torch.bfloat16
    assert not light["tensors"]["master/a"].any()


def test_schedule_in_steps() -> None:
    planned = Schedule(100, None, decay_share=0.5, warmup_steps=10)
    factors = [planned.factor(step) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[10:50] == [1.0] * 40
    assert factors[75] == pytest.approx(0.5)
    assert factors[100] == 0.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_schedule_in_time_and_early_decay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(schedule, "time", clock)
    trigger = tmp_path / "decay"
    planned = Schedule(None, 1000.0, trigger, decay_share=0.2)
    clock.now = 500.0
    assert planned.factor(1000) == 1.0
    trigger.write_text("1")
    assert planned.factor(1000) == 1.0
    assert not trigger.exists()
    clock.now = 530.0
    assert planned.factor(1000) == pytest.approx(0.5)
    assert planned.remaining() == pytest.approx(30.0)
    clock.now = 560.0
    assert planned.factor(1000) == 0.0


def test_seconds_until_is_within_a_day() -> None:
    assert 0 < schedule.seconds_until("00:00") <= 24 * 3600
    with pytest.raises(ValueError):
        schedule.seconds_until("midnight")
