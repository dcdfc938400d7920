"""A real Neovim, embedded: keys in, screen and ghost text out.

For tests and for benchmarks. Knows nothing of the language server.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pynvim

PLUGIN = Path(__file__).resolve().parents[3] / "editors" / "neovim"
GIVE_UP_S = 90.0
_POLL_S = 0.01

GHOST_LUA = """
local marks = vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace(...), 0, -1,
  { details = true })
local found = {}
for _, mark in ipairs(marks) do
  local text = {}
  for _, chunk in ipairs(mark[4].virt_text or {}) do table.insert(text, chunk[1]) end
  local lines = { table.concat(text) }
  for _, line in ipairs(mark[4].virt_lines or {}) do
    local parts = {}
    for _, chunk in ipairs(line) do table.insert(parts, chunk[1]) end
    table.insert(lines, table.concat(parts))
  end
  table.insert(found, { row = mark[2], byte_col = mark[3], text = table.concat(lines, '\\n') })
end
return found
"""
"""Virtual text of a namespace, as a list of {row, byte_col, text}."""


class Neovim:
    """One embedded Neovim.

    Attributes:
        nvim: pynvim's own object.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        environment: Mapping[str, str],
        with_plugin: bool = True,
    ) -> None:
        """Start it without the user's configuration; `folder` takes all it writes.

        Without the plugin there is its `lsp/infill.lua` alone.
        """
        with _environment({**environment, **_own_folders(folder)}):
            self.nvim: Any = pynvim.attach(
                "child",
                argv=[str(program), "--clean", "-n", "--embed", "--headless"],
            )
        self.nvim.ui_attach(120, 40, rgb=True)
        if with_plugin:
            self.nvim.command(f"set runtimepath^={PLUGIN}")
            self.nvim.command("runtime! plugin/infill.lua")
        else:
            (folder / "alone/lsp").mkdir(parents=True)
            shutil.copy(PLUGIN / "lsp/infill.lua", folder / "alone/lsp")
            self.nvim.command(f"set runtimepath^={folder / 'alone'}")
        self.lua("_G.said = {}; vim.notify = function(text) table.insert(_G.said, text) end")

    @property
    def pid(self) -> int:
        return self.nvim.funcs.getpid()

    def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua in the editor; `...` holds the arguments."""
        return self.nvim.exec_lua(code, *arguments)

    def keys(self, keys: str) -> None:
        """Press keys, in Vim's notation, as if typed."""
        self.nvim.input(keys)

    def type(self, keys: str) -> None:
        """Press keys one by one, each handled before the next."""
        for key in _split_keys(keys):
            self.nvim.input(key)
            self.nvim.api.get_mode()

    @property
    def text(self) -> str:
        """The buffer's text, lines joined by LF."""
        return "\n".join(self.nvim.current.buffer[:])

    @property
    def said(self) -> list[str]:
        """What the user was told, oldest first."""
        return self.lua("return _G.said")

    @property
    def ghost(self) -> str:
        """The ghost text on the screen, "" for none; the plugin's own."""
        marks = self.lua(GHOST_LUA, "infill.ghost")
        return marks[0]["text"] if marks else ""

    @property
    def builtin_ghost(self) -> str:
        """The ghost text that Neovim 0.12 draws itself."""
        marks = self.lua(GHOST_LUA, "nvim.lsp.inline_completion")
        return marks[0]["text"] if marks else ""

    def status(self) -> str:
        """The engine's state as the plugin knows it, "" before it knows any."""
        return self.lua("return (vim.g.infill_status or {}).state or ''")

    def wait_for(
        self, condition: Callable[[], Any], what: str, give_up_s: float = GIVE_UP_S
    ) -> Any:
        """Wait until `condition` is true and return what it said."""
        end_s = time.monotonic() + give_up_s
        while not (value := condition()):
            assert time.monotonic() < end_s, f"{what}; the user was last told {self.said[-3:]}"
            time.sleep(_POLL_S)
        return value

    def close(self) -> None:
        """End it as `:qa!` does."""
        with contextlib.suppress(OSError, EOFError):
            self.nvim.input("<C-\\><C-n>:qa!<CR>")
            with contextlib.suppress(OSError, EOFError):
                while True:  # until the connection ends
                    self.nvim.api.get_mode()
                    time.sleep(_POLL_S)
        self.nvim.close()


@contextlib.contextmanager
def running_neovim(
    program: Path,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    with_plugin: bool = True,
) -> Iterator[Neovim]:
    """A Neovim that is gone afterwards."""
    editor = Neovim(program, folder, environment or {}, with_plugin)
    try:
        yield editor
    finally:
        editor.close()


def _own_folders(folder: Path) -> dict[str, str]:
    """Where Neovim keeps what it writes: logs, swap files, history."""
    names = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    return {name: str(folder / name.lower()) for name in names}


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _split_keys(keys: str) -> Iterator[str]:
    """Vim's notation, key by key: "a<CR>" is two."""
    while keys:
        end = keys.find(">") + 1 if keys[0] == "<" and ">" in keys else 1
        yield keys[:end]
        keys = keys[end:]
