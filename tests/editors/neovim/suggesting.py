"""What tests of suggestions do again and again: type where there is one, wait, count requests."""

from .driver import Neovim

COUNT_REQUESTS = """
_G.num_requests = 0
vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
  local request = event.data.request
  if request.type == 'pending' and request.method:find('^infill/stream') then
    _G.num_requests = _G.num_requests + 1
  end
end })
"""
IS_WAITING = "return require('infill.ghost.request').is_waiting()"


def num_requests(editor: Neovim) -> int:
    return editor.lua("return _G.num_requests")


def suggestion(editor: Neovim) -> str:
    """Wait for a suggestion that is whole."""
    editor.wait_for(lambda: not editor.lua(IS_WAITING), "no answer")
    return editor.wait_for(lambda: editor.ghost, "no ghost text")


def open_line_in_total(editor: Neovim, typed: str) -> None:
    """Type at the end of the function `total`, where the model has something to say."""
    editor.nvim.command("/result += number")
    editor.type("o")
    editor.type("<C-u>    ")
    editor.type(typed)
