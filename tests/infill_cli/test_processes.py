"""The installed command as a process: pipes, full disks, and the real engine on the far side."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infill_client.launcher import ensure_engine
from infill_client.settings import EngineSettings
from infill_engine.process_state import read_state

SCRIPT = Path(__file__).parents[1] / "infill_engine" / "server" / "scripted_engine_process.py"
COMMAND = [sys.executable, "-P", "-m", "infill_cli"]


def test_closed_pipe_ends_quietly(folders: Path) -> None:
    process = subprocess.Popen([*COMMAND, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' full device")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_disk_behind_stdout_is_one_sentence(folders: Path, unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*COMMAND, "engine", "stop"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert (ended.returncode, ended.stderr) == (2, "infill-ls: No space left on device.\n")


def test_commands_do_not_import_torch_or_the_web_server(folders: Path) -> None:
    code = (
        "import sys\n"
        "import infill_cli.complete_command, infill_cli.rewrite_command\n"
        "import infill_cli.doctor_command, infill_cli.engine_command, infill_cli.demo_command\n"
        "print([n for n in ('torch', 'rich', 'httpx', 'uvicorn') if n in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert printed.strip() == b"[]"


def test_engine_that_dies_in_mid_request_is_one_sentence(folders: Path) -> None:
    ensure_engine(EngineSettings(model="scripted", command=(sys.executable, str(SCRIPT))))
    (folders / "work" / "a.py").write_text("EXIT")
    ended = _run("complete", "a.py:1:5")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("infill-ls: The engine ended while it worked on the request.")
    assert ended.stderr.count("\n") == 1


def test_taken_port_is_one_sentence(folders: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ended = _run("engine", "run", "--port", str(other.getsockname()[1]))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is taken. Give another with --port" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command", [("complete", "a.py:1:1"), ("engine", "start"), ("engine", "run")]
)
def test_model_that_cannot_be_loaded_leaves_no_process(
    folders: Path, command: tuple[str, ...]
) -> None:
    (folders / "config").mkdir()
    (folders / "config" / "config.toml").write_text(f"model = '{folders}/nowhere'")
    (folders / "work" / "a.py").write_text("x = ")
    ended = _run(*command)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"infill-ls: {folders}/nowhere" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert read_state() is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' full device")
def test_full_disk_at_the_start_of_the_engine_is_told(folders: Path) -> None:
    (folders / "runtime" / "logs").mkdir(parents=True)
    (folders / "runtime" / "logs" / "engine-start.log").symlink_to("/dev/full")
    ended = _run("engine", "start")
    assert ended.returncode == 2
    assert "could not be started: No space left on device (" in ended.stderr
    assert "engine-start.log" in ended.stderr


def test_without_a_command_it_is_the_language_server(folders: Path) -> None:
    for arguments in ([], ["--stdio"], ["serve"]):
        ended = _run(*arguments)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_language_server_does_not_wait_for_the_command_line(folders: Path) -> None:
    code = (
        "import sys, infill_cli.main\n"
        "sys.argv = ['infill-ls']\n"
        "try:\n    infill_cli.main.main()\nexcept SystemExit: pass\n"
        "print([n for n in ('click', 'torch', 'rich', 'httpx') if n in sys.modules], "
        "file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    assert ended.stderr.strip() == b"[]"


@pytest.mark.e2e
def test_complete_with_the_real_engine(folders: Path, tiny_folder: Path) -> None:
    """The tiny model is random, so only the way there and back is tested."""
    (folders / "config").mkdir()
    (folders / "config" / "config.toml").write_text(
        f"model = '{tiny_folder}'\ndevice = 'cpu'\nnum_threads = 1\n"
    )
    (folders / "work" / "a.py").write_text("def add(left, right):\n    ")
    first, second = (_run("complete", "a.py:2:5", "--json", "--seed", "3") for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert "starting the engine" in first.stderr
    assert second.stderr == ""
    answer, again = json.loads(first.stdout), json.loads(second.stdout)
    assert answer["num_steps"] > 0
    assert answer["text"] == again["text"]
    assert again["cached_tokens"] > 0


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
