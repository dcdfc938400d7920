"""Neovim 0.12's own inline completion with nothing but `vim.lsp.enable('infill')`."""

import sys
from pathlib import Path

import pytest

from ...installed import installed_or_skip
from .conftest import SETTINGS, SOURCE
from .driver import running_neovim
from .install_nvim import installed_nvim
from .suggesting import open_line_in_total

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("with_plugin", [True, False])
def test_drawn_and_taken_by_neovim(
    tmp_path: Path, engine_home: dict[str, str], with_plugin: bool
) -> None:
    """With all of the plugin on the runtimepath, and with lsp/infill.lua alone."""
    program = installed_or_skip(lambda: installed_nvim("0.12"))
    source = tmp_path / "a.py"
    source.write_text(SOURCE, encoding="utf-8")
    with running_neovim(program, tmp_path / "nvim", engine_home, with_plugin) as editor:
        editor.lua(
            "vim.lsp.config('infill', { cmd = ..., init_options = select(2, ...) })",
            [sys.executable, "-m", "lsp_server"],
            SETTINGS,
        )
        editor.nvim.command(f"edit {source}")
        editor.lua("vim.lsp.enable('infill')")
        editor.wait_for(lambda: editor.status() == "ready", "the engine is not ready")
        open_line_in_total(editor, "return ")
        ghost = editor.wait_for(lambda: editor.builtin_ghost, "no ghost text")
        assert editor.ghost == ""
        assert editor.lua("return vim.lsp.inline_completion.get()")
        editor.wait_for(
            lambda: editor.nvim.current.line == "    return " + ghost, "it was not taken", 5
        )
