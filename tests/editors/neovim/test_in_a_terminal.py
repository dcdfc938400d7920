"""Ghost text as it is seen: a real terminal, its cells and their colours."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..terminal import Terminal, open_terminal
from .conftest import SETTINGS, SOURCE
from .driver import PLUGIN

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


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with open_terminal(tmp_path) as opened:
        yield opened


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
