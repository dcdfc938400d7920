"""Suggestions of the embedded model in a real Neovim: shown, taken, typed along, put away."""

import pytest

from .driver import Neovim

pytestmark = pytest.mark.e2e


def test_shown_while_typing_and_taken_whole_with_one_undo_step(editor: Neovim) -> None:
    editor.type("Goreturn ")
    ghost = editor.wait_for(lambda: editor.ghost, "no ghost text")
    before = editor.text
    editor.type("<Tab>")
    assert editor.text == before + ghost
