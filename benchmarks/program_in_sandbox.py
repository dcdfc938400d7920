"""The child of `program_runner`: reads one Python program from stdin and runs it, fenced in.

Started by path with `python -I -S -B`; uses the standard library only. What the program says goes
nowhere; the verdict ("passed", or "error:" and the exception's name) goes to the caller's pipe,
under a number the program is not told. A program that ends the process itself leaves no verdict.

The fence keeps careless model output from harm: a network namespace of its own where the system
allows one, limits on memory, processor time, processes and file sizes, and an audit hook, which a
program cannot take back. It is not made to hold an attacker who knows CPython's insides.
"""

import contextlib
import os
import resource
import sys
from typing import Any

_REFUSED_PREFIXES = ("socket.", "subprocess.", "ctypes.", "shutil.", "ftplib.", "http.", "urllib.")
_REFUSED_EVENTS = frozenset(
    "os.exec os.fork os.forkpty os.kill os.killpg os.posix_spawn os.spawn os.system pty.spawn "
    "signal.pthread_kill os.chmod os.chown os.link os.mkdir os.remove os.rename os.rmdir "
    "os.symlink os.truncate os.utime resource.setrlimit resource.prlimit".split()
)
_WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def main() -> None:
    """Run the program on stdin; arguments are the limits in bytes and in processor seconds."""
    memory_bytes, cpu_s = int(sys.argv[1]), int(sys.argv[2])
    source = sys.stdin.buffer.read()
    verdict_fd = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard_fd in (0, 1, 2):
        os.dup2(nowhere, standard_fd)
    _leave_network()
    _limit(memory_bytes, cpu_s)
    sys.addaudithook(_refuse)
    try:
        exec(compile(source, "<program>", "exec"), {"__name__": "__main__"})
        verdict = "passed"
    except BaseException as error:
        verdict = f"error:{type(error).__name__}"
    os.write(verdict_fd, verdict.encode())
    os._exit(0)


def _leave_network() -> None:
    """Move to a network namespace without interfaces; where that is forbidden, the hook remains."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _limit(memory_bytes: int, cpu_s: int) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        # Counts all of the user's processes, so 0 lets no further one begin (root is not bound).
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_AS: memory_bytes,
    }
    for which, most in limits.items():
        with contextlib.suppress(ValueError, OSError):  # macOS bounds no address space
            resource.setrlimit(which, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: let the program compute and read, nothing else."""
    is_writing_open = event == "open" and bool(arguments[2] & _WRITING_FLAGS)
    if is_writing_open or event in _REFUSED_EVENTS or event.startswith(_REFUSED_PREFIXES):
        raise PermissionError(f"a measured program may not do {event}")


if __name__ == "__main__":
    main()
