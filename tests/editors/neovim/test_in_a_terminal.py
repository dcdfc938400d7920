"""Ghost text as it is seen: a real terminal, its cells and their colours."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..system_packages import NotInstallable, ensure_program
from .conftest import SETTINGS, SOURCE
from .driver import GIVE_UP_S, PLUGIN

pytestmark = pytest.mark.e2e

CONFIG = """
vim.opt.runtimepath:prepend({plugin!r})
vim.o.termguicolors = true
vim.o.statusline = '[%{{v:lua.require("infill").statusline()}}]'
require('infill').setup({{
  cmd = {{ {python!r}, '-m', 'lsp_server' }},
  settings = {{ mode = 'line', minConfidence = 0, deadlineMs = {deadline_ms} }},
  keys = true,
}})
vim.api.nvim_set_hl(0, 'InfillGhost', {{ fg = '#123456' }})
"""
COLOUR = "\x1b[38;2;18;52;86m"
"""How a terminal is told of #123456."""


class Terminal:
    """A terminal of 100 by 30 cells in which a program runs; nobody's tmux but ours."""

    def __init__(self, tmux: Path, socket: Path) -> None:
        self._tmux = [str(tmux), "-S", str(socket), "-f", "/dev/null"]

    def start(self, environment: dict[str, str], *command: str) -> None:
        given = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
        self._run("new-session", "-d", "-x", "100", "-y", "30", *given, *command)
        self._run("set", "-sa", "terminal-overrides", ",*:Tc")
        # Escape is a key by itself, at once.
        self._run("set", "-s", "escape-time", "0")

    def keys(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def screen(self, *options: str) -> str:
        return self._run("capture-pane", "-p", *options)

    def wait_for(self, is_there: Callable[[str], bool]) -> str:
        end_s = time.monotonic() + GIVE_UP_S
        while not is_there(screen := self.screen()):
            assert time.monotonic() < end_s, f"the screen is\n{screen}"
            time.sleep(0.05)
        return screen

    def end(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True)

    def _run(self, *arguments: str) -> str:
        run = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return run.stdout


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    try:
        tmux = ensure_program("tmux", "tmux")
    except NotInstallable as why:
        pytest.skip(str(why))
    opened = Terminal(tmux, tmp_path / "tmux")
    yield opened
    opened.end()


def test_seen_and_taken(
    terminal: Terminal, program: Path, engine_home: dict[str, str], tmp_path: Path
) -> None:
    source, config = tmp_path / "a.py", tmp_path / "init.lua"
    source.write_text(SOURCE, encoding="utf-8")
    config.write_text(
        CONFIG.format(
            plugin=str(PLUGIN), python=sys.executable, deadline_ms=SETTINGS["deadlineMs"]
        ),
        encoding="utf-8",
    )
    folders = {
        name: str(tmp_path / name.lower())
        for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    }
    terminal.start(
        {**engine_home, **folders, "LC_ALL": "C.UTF-8"},
        *(str(program), "-n", "-u", str(config), str(source)),
    )
    terminal.wait_for(lambda screen: "[infill]" in screen)
    terminal.keys("/result += number", "Enter", "o", "C-u")
    terminal.keys("-l", "    return ")
    shown = terminal.wait_for(
        lambda screen: "    return " in screen and _after_return(screen) != ""
    )
    ghost = _after_return(shown)
    coloured = terminal.screen("-e")
    assert COLOUR + ghost in coloured, "ghost text has its own colour"
    terminal.keys("Tab")
    terminal.keys("Escape")
    terminal.keys("-l", ":w")
    terminal.keys("Enter")
    terminal.wait_for(lambda _: f"    return {ghost}\n" in source.read_text(encoding="utf-8"))
    assert COLOUR + ghost not in terminal.screen("-e")
    terminal.keys("-l", ":qa")
    terminal.keys("Enter")


def _after_return(screen: str) -> str:
    line = next((line for line in screen.split("\n") if line.startswith("    return")), "")
    return line.removeprefix("    return").strip()
