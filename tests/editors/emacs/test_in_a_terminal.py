"""Emacs as it is seen: a real terminal, real keys, the configuration of docs/editors.md."""

from pathlib import Path

import pytest

from ..documented import blocks
from ..terminal import Terminal, open_terminal
from .batch import PLUGIN, Emacs
from .test_ghost_text import SOURCE

pytestmark = pytest.mark.e2e

AS_TESTED = '(setq infill-settings \'(:mode "line" :minConfidence 0 :deadlineMs 60000))'


def test_seen_typed_through_dismissed_and_taken(emacs: Emacs, tmp_path: Path) -> None:
    source, config = tmp_path / "a.py", tmp_path / "init.el"
    source.write_text(SOURCE, encoding="utf-8")
    (documented,) = blocks("elisp")["Emacs"]
    command = " ".join(f'"{part}"' for part in emacs.server_command)
    config.write_text(
        documented.replace("/path/to/infill-ls/editors/emacs", str(PLUGIN))
        + f"(setq infill-server-command '({command}) make-backup-files nil)\n{AS_TESTED}\n",
        encoding="utf-8",
    )
    with open_terminal(tmp_path) as terminal:
        terminal.start(
            {**emacs.env, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
            *(str(emacs.program), "-nw", "-Q", "-l", str(config), str(source)),
        )
        terminal.wait_for(lambda screen: " infill " in screen)
        terminal.keys("M->")
        terminal.keys("-l", "    return ")
        ghost = _wait_for_ghost(terminal)

        terminal.keys("C-g")
        terminal.wait_for(lambda screen: _after_return(screen) == "")
        terminal.keys("C-c", "i")
        assert _wait_for_ghost(terminal) == ghost

        terminal.keys("-l", ghost[0])
        terminal.wait_for(lambda screen: "infill" in screen and _after_return(screen) == ghost)
        terminal.keys("Tab")
        terminal.keys("C-x", "C-s")
        terminal.wait_for(lambda _: source.read_text(encoding="utf-8").startswith(SOURCE + "    r"))
        saved = source.read_text(encoding="utf-8").removeprefix(SOURCE)
        assert saved.splitlines()[0] == f"    return {ghost}"
        terminal.keys("C-x", "C-c")


def _wait_for_ghost(terminal: Terminal) -> str:
    return _after_return(terminal.wait_for(lambda screen: _after_return(screen) != ""))


def _after_return(screen: str) -> str:
    """What is seen behind the `return` that was typed, the second on the screen."""
    lines = [line for line in screen.split("\n") if line.startswith("    return")]
    return lines[1].removeprefix("    return").strip() if len(lines) > 1 else ""
