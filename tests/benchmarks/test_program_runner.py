"""Only a program that runs to its end has passed, and none does harm or outlives its limits."""

import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.program_runner import ProgramLimits, ProgramRun, run_program, run_programs

LIMITS = ProgramLimits(cpu_s=1, wall_s=20.0, memory_bytes=512 << 20)


def test_a_program_that_runs_to_its_end_has_passed() -> None:
    assert run_program("import math\nassert math.gcd(6, 4) == 2", LIMITS) == ProgramRun("passed")


@pytest.mark.parametrize(
    ("source", "exception"),
    [
        ("assert False", "AssertionError"),
        ("def (", "SyntaxError"),
        ("x = '\ud800'", "SyntaxError"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)
def test_a_program_that_raises_has_failed(source: str, exception: str) -> None:
    assert run_program(source, LIMITS) == ProgramRun("failed", exception)


def test_ending_the_process_before_its_end_is_no_pass() -> None:
    run = run_program("import os\nos.write(1, b'passed')\nos._exit(0)", LIMITS)
    assert run == ProgramRun("no verdict")


def test_what_a_program_prints_is_no_verdict() -> None:
    source = "print('passed', flush=True)\nassert False"
    assert run_program(source, LIMITS) == ProgramRun("failed", "AssertionError")


def test_an_endless_loop_is_ended() -> None:
    assert run_program("while True: pass", LIMITS).outcome == "timeout"


def test_a_loop_that_catches_everything_is_ended() -> None:
    source = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    assert run_program(source, LIMITS).outcome == "timeout"


def test_a_sleeping_program_is_ended() -> None:
    begin_s = time.monotonic()
    run = run_program("import time\ntime.sleep(60)", ProgramLimits(wall_s=0.5))
    assert run.outcome == "timeout"
    assert time.monotonic() - begin_s < 10


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the address space")
@pytest.mark.parametrize(
    "source", ["x = bytearray(4 << 30)", "x = []\nwhile True: x += [0] * 99999"]
)
def test_a_memory_hog_is_stopped(source: str) -> None:
    # Filling half a gigabyte takes a busy machine more than a second.
    limits = replace(LIMITS, cpu_s=15)
    assert run_program(source, limits) == ProgramRun("failed", "MemoryError")


@pytest.mark.parametrize(
    "source",
    [
        "import os\nwhile True: os.fork()",
        "import subprocess\nsubprocess.run(['true'])",
        "import os\nos.system('true')",
        "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    ],
)
def test_a_fork_bomb_never_begins(source: str) -> None:
    assert run_program(source, LIMITS) == ProgramRun("failed", "PermissionError")


def test_a_caught_refusal_does_not_let_processes_begin() -> None:
    source = """
import os
for attempt in range(1000):
    try:
        os.fork()
    except OSError:
        pass
"""
    assert run_program(source, LIMITS) == ProgramRun("passed")


def test_no_connection_can_be_opened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1).send(b'hello')"
        assert run_program(source, LIMITS) == ProgramRun("failed", "PermissionError")
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()


def test_nothing_is_written_or_removed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    for source in (
        f"import os\nos.remove({str(kept)!r})",
        f"open({str(tmp_path / 'new')!r}, 'w')",
        f"import os\nos.kill({os.getpid()}, 0)",
    ):
        assert run_program(source, LIMITS) == ProgramRun("failed", "PermissionError")
    assert list(tmp_path.iterdir()) == [kept]


def test_many_programs_keep_their_order() -> None:
    sources = [f"assert {idx} % 2" for idx in range(8)]
    done: list[int] = []
    runs = run_programs(sources, LIMITS, num_workers=2, on_done=lambda: done.append(1))
    assert [run.outcome for run in runs] == ["failed", "passed"] * 4
    assert len(done) == 8
