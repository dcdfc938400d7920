"""Suggestions of the embedded model in a real Neovim: shown, taken, typed along, put away."""

from pathlib import Path

import pytest

from .conftest import OpenNeovim
from .driver import Neovim
from .suggesting import (
    COUNT_REQUESTS,
    IS_WAITING,
    num_requests,
    open_line_in_total,
    suggestion,
)

pytestmark = pytest.mark.e2e


def test_shown_and_taken_whole_in_one_undo_step(editor: Neovim) -> None:
    open_line_in_total(editor, "return ")
    ghost, before = suggestion(editor), editor.text
    assert "\n" not in ghost
    editor.type("<Tab>")
    assert editor.text == before.replace("    return ", "    return " + ghost)
    assert editor.nvim.current.line == "    return " + ghost
    row, byte_col = editor.nvim.current.window.cursor
    assert (row, byte_col) == (14, len("    return " + ghost))
    editor.type("<Esc>u")
    assert editor.text == before


def test_taken_by_word_and_by_line(editor: Neovim) -> None:
    editor.nvim.command("/print")
    editor.type("O")
    editor.type("for ")
    ghost = suggestion(editor)
    assert " " in ghost.strip(), "needs a suggestion of several words"
    editor.type("<M-w>")
    taken = editor.nvim.current.line.removeprefix("    for ")
    assert taken and ghost.startswith(taken) and taken != ghost
    assert editor.ghost == ghost.removeprefix(taken)
    editor.type("<M-l>")
    assert editor.nvim.current.line == "    for " + ghost.partition("\n")[0]


def test_typing_what_is_suggested_asks_nothing_and_never_blanks(editor: Neovim) -> None:
    editor.lua(COUNT_REQUESTS)
    open_line_in_total(editor, "return ")
    ghost, asked = suggestion(editor), num_requests(editor)
    assert asked > 0
    for idx, char in enumerate(ghost[:-1]):
        editor.type(char)
        assert editor.ghost == ghost[idx + 1 :]
    assert num_requests(editor) == asked
    editor.type(ghost[-1])
    assert num_requests(editor) == asked + 1, "the next gap is asked for"


def test_type_then_accept_at_once(editor: Neovim) -> None:
    """Keys that come faster than events: what is taken fits what stands in the buffer."""
    open_line_in_total(editor, "return ")
    ghost = suggestion(editor)
    editor.keys(ghost[:3] + "<Tab>")
    editor.wait_for(
        lambda: editor.nvim.current.line == "    return " + ghost,
        f"line is {editor.nvim.current.line!r}",
        5,
    )


@pytest.mark.parametrize("key", ["<BS>", "<Left>", "<Esc>", "<C-]>", "Z"])
def test_put_away(editor: Neovim, key: str) -> None:
    """By deletion, by a move, by leaving, by hand, and by typing something else."""
    open_line_in_total(editor, "return ")
    ghost = suggestion(editor)
    assert not ghost.startswith("Z")
    editor.lua("vim.g.infill_enabled = true; require('infill.config').current.ghost.auto = false")
    editor.type(key)
    assert editor.ghost == ""
    assert not editor.lua(IS_WAITING)


def test_toggled_off_and_on(editor: Neovim) -> None:
    editor.lua(COUNT_REQUESTS)
    editor.nvim.command("Infill toggle")
    open_line_in_total(editor, "return ")
    assert num_requests(editor) == 0 and editor.ghost == ""
    editor.type("<Esc>")
    editor.nvim.command("Infill toggle")
    editor.type("A <BS>")
    editor.type("<C-u>    return ")
    assert suggestion(editor)


def test_asked_by_hand_where_nothing_is_asked_while_typing(open_neovim: OpenNeovim) -> None:
    with open_neovim(ghost={"disabled_filetypes": ["python"]}) as editor:
        editor.lua(COUNT_REQUESTS)
        open_line_in_total(editor, "return ")
        assert num_requests(editor) == 0
        editor.type("<M-Bslash>")
        assert suggestion(editor)
        editor.type("<M-]>")
        assert editor.said[-1].endswith("There is only one suggestion here.")


def test_other_keys_are_what_they_were(open_neovim: OpenNeovim) -> None:
    with open_neovim(ghost={"auto": False}) as editor:
        editor.nvim.command("set expandtab shiftwidth=4 softtabstop=4")
        editor.type("Go<C-u><Tab>x")
        assert editor.nvim.current.line == "    x"


def test_hidden_while_the_completion_menu_is_open(editor: Neovim) -> None:
    open_line_in_total(editor, "return ")
    ghost = suggestion(editor)
    editor.type("<C-n>")
    editor.wait_for(lambda: editor.nvim.funcs.pumvisible(), "no menu")
    editor.wait_for(lambda: editor.ghost == "", "ghost text beside the menu")
    editor.type("<C-e>")
    assert editor.wait_for(lambda: editor.ghost, "ghost text did not come back") == ghost


def test_folds_stay_closed_and_text_comes_right(editor: Neovim) -> None:
    # `total` and what is typed in it; `Reader` above it.
    editor.nvim.command("set foldmethod=manual | 5,7fold | 10,13fold | normal! zM")
    assert editor.nvim.funcs.foldclosed(5) == 5
    editor.nvim.command("call cursor(13, 1)")
    editor.type("A<CR>return ")
    ghost, before = suggestion(editor), editor.text
    editor.type("<Tab>")
    assert editor.text == before.replace("return ", "return " + ghost)
    assert editor.nvim.funcs.foldclosed(5) == 5
    editor.type("<Esc>u")
    assert editor.text == before


def test_carriage_returns_stay_out_of_the_buffer(open_neovim: OpenNeovim) -> None:
    source = "def f(a, b):\r\n    c = a + b\r\n\r\n\r\nprint(f(1, 2))\r\n"
    with open_neovim(source, settings={"mode": "block", "minConfidence": 0}) as editor:
        assert editor.nvim.current.buffer.options["fileformat"] == "dos"
        editor.type("jo<C-u>    return ")
        suggestion(editor)
        editor.type("<Tab><Esc>")
        assert "\r" not in editor.text
        editor.nvim.command("write")
        written = Path(editor.nvim.current.buffer.name).read_bytes()
        assert written.count(b"\n") == written.count(b"\r\n")


def test_stays_out_of_macros_and_block_inserts(editor: Neovim) -> None:
    editor.lua(COUNT_REQUESTS)
    editor.type("qqoreturn <Esc>q")
    assert num_requests(editor) == 0
    editor.type("gg<C-v>jIx")
    editor.type("y")
    assert num_requests(editor) == 0
    editor.type("<Esc>")
    open_line_in_total(editor, "return ")
    assert num_requests(editor) > 0
