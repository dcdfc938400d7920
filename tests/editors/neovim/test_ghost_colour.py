"""The colour of ghost text is its own, whatever stands beside it. No server is needed."""

from pathlib import Path

import pytest

from .driver import running_neovim

pytestmark = pytest.mark.e2e

SHOW = """
local row, byte_col = unpack(vim.api.nvim_win_get_cursor(0))
require('infill.ghost.draw').show(0, row - 1, byte_col, 'ghost')
vim.cmd.redraw()
local found = {}
for cell = 1, 20 do
  local text = vim.fn.screenstring(row, cell)
  if text ~= '' then found[#found + 1] = { text, vim.fn.screenattr(row, cell) } end
end
return found
"""


def test_a_bracket_that_is_highlighted_does_not_colour_it(program: Path, tmp_path: Path) -> None:
    with running_neovim(program, tmp_path / "nvim") as editor:
        editor.nvim.command("runtime plugin/matchparen.vim")
        editor.lua("require('infill.highlights').define()")
        editor.type("if<CR>)<Up><End>")
        plain = colours(editor.lua(SHOW))
        assert len(set(plain["ghost"])) == 1
        editor.type("(")
        beside = colours(editor.lua(SHOW))
        assert beside["("] != plain["f"], "the bracket is not highlighted"
        assert beside["ghost"] == plain["ghost"]


def colours(cells: list[tuple[str, int]]) -> dict[str, list[int]]:
    """The colours of the cells of "f", of the bracket behind it and of "ghost"."""
    text = "".join(char for char, _ in cells)
    found: dict[str, list[int]] = {}
    for word in ("f", "(", "ghost"):
        begin = text.find(word)
        found[word] = [colour for _, colour in cells[begin : begin + len(word)]]
    return found
