"""How the engine's process starts, says where it is, and ends."""

import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from infill_engine.process_state import read_state, state_file


def test_state_file_is_private_and_goes_with_the_process(start_engine: Any, runtime: Path) -> None:
    engine = start_engine()
    assert stat.S_IMODE(state_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    engine.process.send_signal(signal.SIGTERM)
    assert engine.process.wait(20) == 0
    assert read_state() is None
    assert not state_file().exists()


def test_sigterm_in_mid_request_ends_the_process(start_engine: Any) -> None:
    engine = start_engine()
    with engine.http.stream("POST", "/v1/infill", json={"prefix": "SLOW", "suffix": ""}):
        engine.wait_for(num_running=1)
        engine.process.send_signal(signal.SIGTERM)
        assert engine.process.wait(20) == 0
    assert not state_file().exists()


def test_idle_engine_ends_by_itself(start_engine: Any) -> None:
    engine = start_engine("--idle-exit-minutes", "0.005")
    assert engine.process.wait(20) == 0
    assert not state_file().exists()


def test_loading_engine_answers_health_and_refuses_requests(start_engine: Any) -> None:
    engine = start_engine("--load-s", "60", until="loading")
    engine.wait_for(stage="reading the script", fraction=0.5)
    answer = engine.http.post("/v1/infill", json={"prefix": "", "suffix": ""})
    assert answer.status_code == 503
    assert "still loading (reading the script, 50%)" in answer.json()["message"]


def test_sigterm_while_loading_ends_the_process(start_engine: Any) -> None:
    engine = start_engine("--load-s", "60", until="loading")
    engine.process.send_signal(signal.SIGTERM)
    assert engine.process.wait(20) == 0


def test_failed_load_is_kept_as_a_sentence(start_engine: Any) -> None:
    engine = start_engine("--load-error", until="failed")
    health = engine.health()
    assert health["code"] == "checkpoint"
    assert health["why"] == "The folder /nowhere holds no config.json."
    answer = engine.http.post("/v1/infill", json={"prefix": "", "suffix": ""})
    assert answer.status_code == 503
    assert "no config.json" in answer.json()["message"]


def test_bug_in_loading_does_not_end_the_process(start_engine: Any) -> None:
    health = start_engine("--load-bug", until="failed").health()
    assert health["why"].startswith("The model could not be loaded (KeyError)")


def test_taken_port_is_one_sentence_and_exit_2(runtime: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = _run_server("--port", str(port))
    assert ended.returncode == 2
    assert ended.stderr == (
        f"Port {port} on 127.0.0.1 is taken. Give another with --port, or 0 for a free one.\n"
    )
    assert not state_file().exists()


def test_second_engine_is_refused(start_engine: Any) -> None:
    engine = start_engine()
    ended = _run_server()
    assert ended.returncode == 2
    assert f"already running (pid {engine.process.pid}" in ended.stderr
    assert engine.health()["status"] == "ready"


def test_wrong_option_is_one_sentence_and_exit_2(runtime: Path) -> None:
    ended = _run_server("--port", "70000")
    assert ended.returncode == 2
    assert ended.stderr == "port is 70000; allowed is 0 (a free one) to 65535.\n"


def _run_server(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infill_engine.server", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)
