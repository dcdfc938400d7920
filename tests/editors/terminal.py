"""A real terminal in which a program runs, by tmux: its keys and its screen.

Knows nothing of the programs.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..installed import installed_or_skip
from ..system_packages import ensure_program

GIVE_UP_S = 120.0
"""Not what is asserted: what keeps a failing test from hanging."""


class Terminal:
    """A terminal of 100 by 30 cells in which a program runs; nobody's tmux but ours."""

    def __init__(self, tmux: Path, socket: Path) -> None:
        self._tmux = [str(tmux), "-S", str(socket), "-f", "/dev/null"]

    def start(self, environment: dict[str, str], *command: str) -> None:
        """Run a command in the terminal, with these variables besides the test's own."""
        # Not tmux's -e, which has no say over PATH.
        given = [f"{name}={value}" for name, value in environment.items()]
        self._run("new-session", "-d", "-x", "100", "-y", "30", "env", *given, *command)
        self._run("set", "-sa", "terminal-overrides", ",*:Tc")
        # Escape is a key by itself, at once.
        self._run("set", "-s", "escape-time", "0")

    def keys(self, *keys: str) -> None:
        """Press keys, by tmux's names; after "-l" as they are written."""
        self._run("send-keys", *keys)

    def screen(self, *options: str) -> str:
        """Return what is on the screen; with "-e" also in which colours."""
        return self._run("capture-pane", "-p", *options)

    def wait_for(self, is_there: Callable[[str], bool]) -> str:
        """Wait until the screen is as wanted, and return it."""
        end_s = time.monotonic() + GIVE_UP_S
        while not is_there(screen := self.screen()):
            assert time.monotonic() < end_s, f"the screen is\n{screen}"
            time.sleep(0.05)
        return screen

    def end(self) -> None:
        """End the program, and tmux with it."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True)

    def _run(self, *arguments: str) -> str:
        run = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return run.stdout


@contextmanager
def open_terminal(folder: Path) -> Iterator[Terminal]:
    """A terminal whose socket is in `folder`; skips the test where there is no tmux."""
    opened = Terminal(installed_or_skip(lambda: ensure_program("tmux", "tmux")), folder / "tmux")
    try:
        yield opened
    finally:
        opened.end()
