"""`:Infill rewrite` in a real Neovim with the embedded model: shown, taken, discarded, refused."""

import pytest

from .driver import GHOST_LUA, Neovim

pytestmark = pytest.mark.e2e


def preview(editor: Neovim) -> str:
    """The virtual lines of the rewrite, "" for none."""
    marks = editor.lua(GHOST_LUA, "infill.rewrite")
    return "\n".join(mark["text"].removeprefix("\n") for mark in marks if mark["text"])


def start_rewrite(editor: Neovim) -> list[str]:
    """Rewrite two lines and wait for the result, which is returned."""
    editor.nvim.command("/result = 0")
    editor.type("Vj")
    editor.type(":Infill rewrite<CR>")
    editor.wait_for(lambda: "accept" in preview(editor) or editor.said, "no rewrite to decide on")
    lines = preview(editor).split("\n")
    assert lines[-1] == "<CR> accept · <Esc> discard · R retry", editor.said
    return lines[:-1]


def test_taken_in_one_undo_step(editor: Neovim) -> None:
    before = editor.text
    new = start_rewrite(editor)
    assert editor.text == before, "nothing changes before it is accepted"
    editor.type("<CR>")
    lines = before.split("\n")
    at = lines.index("    result = 0")
    assert editor.text.split("\n") == lines[:at] + new + lines[at + 2 :]
    assert editor.text != before
    assert preview(editor) == ""
    editor.type("u")
    assert editor.text == before


def test_discarded(editor: Neovim) -> None:
    before = editor.text
    start_rewrite(editor)
    editor.type("<Esc>")
    assert (editor.text, preview(editor)) == (before, "")
    assert editor.nvim.funcs.maparg("<CR>", "n") == ""


def test_retried_and_accepted_by_command(editor: Neovim) -> None:
    before = editor.text
    start_rewrite(editor)
    editor.type("R")
    assert "rewriting" in preview(editor)
    editor.wait_for(lambda: "accept" in preview(editor) or editor.said, "no second rewrite")
    if "accept" in preview(editor):
        editor.nvim.command("Infill accept")
        assert editor.text != before


def test_refused_when_the_lines_have_changed(editor: Neovim) -> None:
    start_rewrite(editor)
    editor.nvim.command("/result = 0")
    editor.type("A1<Esc>")
    changed = editor.text
    editor.nvim.command("Infill accept")
    assert editor.text == changed
    assert "the lines have changed since; nothing was replaced" in editor.said[-1]
    assert preview(editor) == ""


def test_lines_above_may_change(editor: Neovim) -> None:
    new = start_rewrite(editor)
    editor.nvim.command("0put ='# above'")
    editor.nvim.command("Infill accept")
    lines = editor.text.split("\n")
    at = lines.index("def total(numbers: list[int]) -> int:")
    assert lines[0] == "# above"
    assert lines[at + 1 : at + 1 + len(new)] == new


def test_discarded_while_it_is_made(editor: Neovim) -> None:
    editor.nvim.command("/result = 0")
    editor.keys("Vj:Infill rewrite<CR>")
    assert "rewriting" in preview(editor)
    before = editor.text
    editor.nvim.command("Infill discard")
    assert preview(editor) == ""
    start_rewrite(editor)
    assert editor.text == before


def test_needs_lines(editor: Neovim) -> None:
    editor.nvim.command("Infill rewrite")
    assert "select lines first" in editor.said[-1]
    editor.nvim.command("Infill nonsense")
    assert "knows no 'nonsense'; it knows accept, " in editor.said[-1]
