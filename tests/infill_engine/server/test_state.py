"""The state file: what counts as no engine."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from infill_engine.api import ConfigError
from infill_engine.process_state import (
    find_process,
    own_state,
    read_state,
    remove_state,
    runtime_folder,
    state_file,
    write_state,
)


def test_state_comes_back_as_written(runtime: Path) -> None:
    state = own_state(1234, "secret", "embedded")
    write_state(state)
    assert read_state() == state
    assert find_process(state) is not None
    assert "secret" not in repr(state)
    assert [path.name for path in runtime.iterdir()] == ["engine.json"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"pid": 1}', '{"pid": "x"}', "\x00", "[" * 100_000]
)
def test_unreadable_state_counts_as_none(runtime: Path, text: str) -> None:
    state_file().write_text(text)
    assert read_state() is None


def test_state_with_a_value_of_another_type_counts_as_none(runtime: Path) -> None:
    write_state(replace(own_state(1, "t", "m"), port="80"))  # pyright: ignore
    assert read_state() is None


def test_recycled_pid_is_recognized(runtime: Path) -> None:
    state = own_state(1234, "t", "m")
    assert find_process(replace(state, create_time_s=state.create_time_s - 60)) is None
    for pid in (2**22 + 1, -5, 10**20):
        assert find_process(replace(state, pid=pid)) is None


def test_remove_spares_the_state_of_another_process(runtime: Path) -> None:
    write_state(own_state(1234, "t", "m"))
    remove_state(os.getpid() + 1)
    assert read_state() is not None
    remove_state(os.getpid())
    assert read_state() is None


def test_runtime_folder_that_cannot_be_made_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INFILL_LS_RUNTIME_DIR", str(tmp_path / "file" / "folder"))
    with pytest.raises(ConfigError, match="INFILL_LS_RUNTIME_DIR"):
        runtime_folder()
