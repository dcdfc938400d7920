"""Runs many small Python programs that nobody has read, several at a time, each in a sandbox.

Every program gets a process, a session and an empty folder of its own; all of it is gone when its
outcome is known. Knows nothing of tasks or models. POSIX only.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Outcome = Literal["passed", "failed", "timeout", "no verdict"]
"""Ran to its end; raised; was ended for taking too long; ended the process before its end."""

_SANDBOX = Path(__file__).with_name("program_in_sandbox.py")
_DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class ProgramLimits:
    """What one program may use.

    Attributes:
        cpu_s: processor seconds, at least 1; a busy machine does not change the outcome.
        wall_s: seconds by the clock, for a program that sleeps.
        memory_bytes: address space.
    """

    cpu_s: int = 5
    wall_s: float = 30.0
    memory_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """How a program ended; `exception` is the name of what it raised, empty otherwise."""

    outcome: Outcome
    exception: str = ""


def run_programs(
    sources: Iterable[str],
    limits: ProgramLimits,
    num_workers: int,
    on_done: Callable[[], None] = lambda: None,
) -> list[ProgramRun]:
    """Run all programs and return how each ended, in their order.

    Args:
        sources: Python source texts.
        limits: of each program.
        num_workers: programs running at a time, at least 1.
        on_done: called from any thread after each program.
    """

    def run_one(source: str) -> ProgramRun:
        run = run_program(source, limits)
        on_done()
        return run

    with ThreadPoolExecutor(num_workers) as workers:
        return list(workers.map(run_one, sources))


def run_program(source: str, limits: ProgramLimits) -> ProgramRun:
    """Run one program to its end, or to its limits' end."""
    with tempfile.TemporaryDirectory(prefix="program-") as folder:
        # The sandbox raises its own limits' errors; what is limited here is only the clock.
        child = subprocess.Popen(
            # -I -S: neither the environment nor site-packages; -B: nothing is written.
            [sys.executable, "-I", "-S", "-B", str(_SANDBOX), *_arguments(limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={},
            start_new_session=True,
        )
        try:
            verdict, _ = child.communicate(_encode(source), timeout=limits.wall_s)
        except subprocess.TimeoutExpired:
            return ProgramRun("timeout")
        finally:
            _kill_session(child)
    return _read_verdict(verdict.decode(), child.returncode)


def _arguments(limits: ProgramLimits) -> tuple[str, str]:
    return str(limits.memory_bytes), str(limits.cpu_s)


def _encode(source: str) -> bytes:
    # A lone surrogate makes a program that does not compile, as it should.
    return source.encode("utf-8", errors="surrogatepass")


def _read_verdict(verdict: str, return_code: int) -> ProgramRun:
    if verdict == "passed":
        return ProgramRun("passed")
    if verdict.startswith("error:"):
        return ProgramRun("failed", verdict.removeprefix("error:"))
    if return_code in (-signal.SIGXCPU, -signal.SIGKILL):
        return ProgramRun("timeout")
    return ProgramRun("no verdict")


def _kill_session(child: "subprocess.Popen[bytes]") -> None:
    """End whatever of the program is left, and reap it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.communicate(timeout=_DRAIN_S)
