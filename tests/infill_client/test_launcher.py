"""Finding and starting the engine, with real processes."""

import os
import signal
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infill_client import launcher
from infill_client.address import EngineAddress
from infill_client.launcher import ensure_engine, find_engine, stop_engine
from infill_client.settings import EngineSettings
from infill_engine.api import CheckpointError, ConfigError, EngineUnavailable
from infill_engine.process_state import find_process, own_state, read_state, state_file, write_state


def test_engine_is_started_on_demand_and_shared(scripted: Any) -> None:
    seen: list[tuple[str, float]] = []
    first = ensure_engine(scripted("--load-s", "0.3"), on_progress=lambda *now: seen.append(now))
    assert ("starting the engine", 0.0) in seen
    assert ("reading the script", 0.5) in seen
    assert ensure_engine(scripted()) == first
    state = stop_engine()
    assert state is not None
    assert find_process(state) is None
    assert not state_file().exists()
    assert stop_engine() is None


def test_two_who_start_at_once_get_one_engine(scripted: Any) -> None:
    found: list[EngineAddress] = []
    settings = scripted()
    threads = [
        threading.Thread(target=lambda: found.append(ensure_engine(settings))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1


def test_state_of_a_killed_engine_is_cleaned(scripted: Any) -> None:
    first = ensure_engine(scripted())
    state = read_state()
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    while find_process(state) is not None:
        pass
    assert state_file().exists()
    assert find_engine() is None
    assert not state_file().exists()
    assert ensure_engine(scripted()).token != first.token


def test_state_of_a_recycled_pid_is_stale(scripted: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    state = own_state(port, "t", "m")
    write_state(replace(state, create_time_s=state.create_time_s - 60))
    assert ensure_engine(scripted()).token != "t"


@pytest.mark.parametrize("text", ["", "{", '{"pid": 1}', "\x00\xff"])
def test_corrupt_state_is_replaced(scripted: Any, text: str) -> None:
    state_file().write_text(text)
    assert find_engine() is None
    ensure_engine(scripted())
    assert read_state() is not None


def test_living_process_that_does_not_answer_is_reported(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infill_client.launcher._ENDING_GRACE_S", 0.1)
    write_state(own_state(9, "t", "m"))
    with pytest.raises(EngineUnavailable, match="lives but does not answer"):
        find_engine()
    state_file().unlink()


def test_failed_load_raises_the_engine_s_own_error(scripted: Any) -> None:
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        ensure_engine(scripted("--load-error"))
    with pytest.raises(CheckpointError):
        ensure_engine(scripted())
    ensure_engine(scripted(), restart_failed=True)


def test_engine_of_an_older_version_is_replaced(scripted: Any) -> None:
    old = ensure_engine(scripted())
    state = read_state()
    assert state is not None
    write_state(replace(state, version="0.0.9"))
    assert ensure_engine(scripted()) != old
    assert find_process(state) is None


def test_program_that_ends_at_once_is_quoted(folders: Path) -> None:
    command = (sys.executable, "-c", "raise SystemExit('The disk is full.')")
    with pytest.raises(EngineUnavailable, match=r"could not be started: The disk is full\."):
        ensure_engine(EngineSettings(command=command))


def test_program_that_does_not_exist_is_a_clear_error(folders: Path) -> None:
    with pytest.raises(EngineUnavailable, match="could not be started"):
        ensure_engine(EngineSettings(command=(str(folders / "nothing"),)))


def test_wrong_setting_is_told_by_the_engine(folders: Path) -> None:
    with pytest.raises(EngineUnavailable, match="num_threads is 0; allowed is 1 and more"):
        ensure_engine(EngineSettings(num_threads=0))


def test_explicit_url_starts_nothing(scripted: Any) -> None:
    there = ensure_engine(scripted())
    settings = EngineSettings(url=there.url, token=there.token)
    assert ensure_engine(settings) == there
    with pytest.raises(ConfigError, match="did not accept the token"):
        ensure_engine(replace(settings, token="wrong"))
    stop_engine()
    with pytest.raises(EngineUnavailable, match="No engine answers at"):
        ensure_engine(settings)
    assert read_state() is None


@pytest.mark.parametrize(
    ("ours", "is_refused"), [("0.1.7", False), ("0.2.0", True), ("1.1.0", True)]
)
def test_an_engine_elsewhere_of_another_version_is_refused(
    scripted: Any, monkeypatch: pytest.MonkeyPatch, ours: str, is_refused: bool
) -> None:
    there = ensure_engine(scripted())
    version = launcher.fetch_health(there).version
    monkeypatch.setattr(launcher, "VERSION", ours)
    settings = EngineSettings(url=there.url, token=there.token)
    if is_refused:
        with pytest.raises(ConfigError, match=f"pip install infill-ls=={version}"):
            ensure_engine(settings)
    else:
        assert ensure_engine(settings) == there


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host", "give a URL like https://host:port"),
        ("localhost:80", "give a URL like https://host:port"),
        ("http://[", "give a URL like https://host:port"),
        ("http://host:99999", "give a URL like https://host:port"),
        ("http://example.org:80", "beyond this machine only https is allowed"),
    ],
)
def test_wrong_url_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ensure_engine(EngineSettings(url=url))


def test_token_is_not_printed() -> None:
    assert "secret" not in repr(EngineAddress("http://127.0.0.1:1", "secret"))


def test_context_setting_reaches_the_engine(folders: Path) -> None:
    with pytest.raises(ConfigError, match="max_context_tokens is 5; it must be at least 64"):
        ensure_engine(EngineSettings(max_context_tokens=5))
