"""What is on the screen for texts that a test chooses: an engine that says what it is told to."""

from collections.abc import Iterator

import pytest

from ...lsp_server.fake_engine import TOKEN, FakeEngine, running_fake_engine
from .conftest import SETTINGS, OpenNeovim
from .driver import Neovim
from .suggesting import suggestion

pytestmark = pytest.mark.e2e

SOURCE = "def f(a, b):\n    print(a)\n    return b\n"


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with running_fake_engine() as running:
        yield running


def settings(engine: FakeEngine, **more: object) -> dict[str, object]:
    return {**SETTINGS, "engine": {"url": engine.url, "token": TOKEN}, **more}


def screen_lines(editor: Neovim) -> list[str]:
    """What a user sees, top down, without blanks at the ends."""
    return editor.lua(
        """
        vim.cmd.redraw()
        local lines = {}
        for row = 1, 12 do
          local cells = {}
          for cell = 1, 60 do table.insert(cells, vim.fn.screenstring(row, cell)) end
          table.insert(lines, (table.concat(cells):gsub('%s+$', '')))
        end
        return lines
        """
    )


def test_in_the_middle_of_a_line(open_neovim: OpenNeovim, engine: FakeEngine) -> None:
    """A bracket that was closed by itself stays where it is, behind what is taken."""
    engine.middle = "a, b"
    with open_neovim(SOURCE, settings=settings(engine)) as editor:
        editor.type("jo<C-u>    print()<Left>")
        editor.type("<M-Bslash>")
        assert suggestion(editor) == "a, b"
        assert "    print(a, b)" in screen_lines(editor)
        editor.type("<Tab>")
        assert editor.nvim.current.line == "    print(a, b)"
        assert editor.nvim.current.window.cursor[1] == len("    print(a, b")


def test_several_lines_with_tabs(open_neovim: OpenNeovim, engine: FakeEngine) -> None:
    engine.middle = "a:\n\t\tprint(b)\n\t\treturn a"
    source = "def f(a, b):\n\tprint(a)\n\n\ndef g():\n\tpass\n"
    with open_neovim(source, settings=settings(engine, mode="block")) as editor:
        editor.nvim.command("set tabstop=4 shiftwidth=4 noexpandtab")
        editor.type("jo<C-u><C-v><Tab>if ")
        ghost = suggestion(editor)
        assert ghost == engine.middle.expandtabs(4)
        shown = screen_lines(editor)
        begin = shown.index("    if a:")
        assert shown[begin : begin + 3] == ["    if a:", "        print(b)", "        return a"]
        before = editor.text
        editor.type("<Tab>")
        assert editor.text == before.replace("\tif ", "\tif " + engine.middle)
        row, byte_col = editor.nvim.current.window.cursor
        assert (row, byte_col) == (5, len("\t\treturn a"))
        editor.type("<Esc>u")
        assert editor.text == before


def test_an_accepted_text_is_told_to_the_server(
    open_neovim: OpenNeovim, engine: FakeEngine
) -> None:
    engine.middle = "a + b"
    with open_neovim(SOURCE, settings=settings(engine)) as editor:
        editor.lua(
            """
            _G.told = {}
            local client = vim.lsp.get_clients({ name = 'infill' })[1]
            local notify, exec_cmd = client.notify, client.exec_cmd
            client.notify = function(self, method, params)
              if method:find('^infill/') then table.insert(_G.told, { method, params }) end
              return notify(self, method, params)
            end
            client.exec_cmd = function(self, command, ...)
              table.insert(_G.told, { command.command, command.arguments[2] })
              return exec_cmd(self, command, ...)
            end
            """
        )
        editor.type("jo<C-u>    c = ")
        assert suggestion(editor) == "a + b"
        editor.type("<M-w>")
        engine.middle = ""
        editor.type("<Tab>")
        told = editor.lua("return _G.told")
    assert [name for name, _ in told] == [
        "infill/didShow",
        "infill/didPartiallyAccept",
        "infill.didAccept",
    ]
    assert told[1][1]["acceptedLength"] == 1
    assert told[2][1] == len(" + b")


UPDATE = """
local stable, is_done = ...
require('infill.updates').note({
  token = _G.token, sequence = 0, step = 0, text = stable .. '??', settledLength = #stable,
  confidence = {}, tokenLengths = {}, stable = stable, done = is_done,
})
return vim.api.nvim_get_mode().mode
"""
CATCH_TOKEN = """
local client = vim.lsp.get_clients({ name = 'infill' })[1]
client.request = function(_, method, params, handler)
  _G.token, _G.handler = params.token, handler
  return true, 4711
end
client.cancel_request = function() end
"""


def test_shown_text_only_grows(open_neovim: OpenNeovim, engine: FakeEngine) -> None:
    """Whatever the server tells: what is on the screen is never taken back or changed."""
    with open_neovim(SOURCE, settings=settings(engine)) as editor:
        editor.lua(CATCH_TOKEN)
        editor.type("jo<C-u>    c = ")
        seen: list[str] = []
        for stable in ("", "a", "a + ", "a", "x", "a + b"):
            editor.lua(UPDATE, stable, False)
            seen.append(editor.ghost)
        assert seen == ["", "a", "a + ", "a + ", "a + ", "a + b"]
        editor.type("a")
        assert editor.ghost == " + b"
        editor.lua("_G.handler(nil, { { insertText = 'x' } })")
        assert editor.ghost == " + b"


def test_updates_of_another_request_are_not_shown(
    open_neovim: OpenNeovim, engine: FakeEngine
) -> None:
    with open_neovim(SOURCE, settings=settings(engine)) as editor:
        editor.lua(CATCH_TOKEN)
        editor.type("jo<C-u>    c = ")
        editor.lua("_G.old = _G.token")
        editor.type("(")
        editor.lua(UPDATE.replace("_G.token", "_G.old"), "a + b", False)
        assert editor.ghost == ""
        editor.lua(UPDATE, "a", False)
        assert editor.ghost == "a"


def test_the_denoising_view_shows_each_step(open_neovim: OpenNeovim, engine: FakeEngine) -> None:
    engine.middle, engine.token_chars = "a + b", (5,)
    with open_neovim(SOURCE, settings=settings(engine)) as editor:
        editor.type("jA")
        editor.type("<Esc>")
        editor.nvim.command("Infill denoise")

        def view() -> list[str]:
            return editor.lua(
                "return vim.api.nvim_buf_get_lines(vim.fn.bufnr('infill://denoise'), 0, -1, false)"
            )

        editor.wait_for(lambda: view()[0].startswith("step 2 of 2"), "no last step")
        assert "a + b" in "\n".join(view()[2:])
        editor.nvim.command("wincmd l")
        editor.type("[")
        assert view()[0].startswith("step 1 of 2 · 5 of 5 characters settled")
        editor.type("q")
        assert len(editor.nvim.windows) == 1
