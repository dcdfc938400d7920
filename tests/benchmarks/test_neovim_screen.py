"""The screen that the benchmark of Neovim looks at: cell by cell, and against the real Neovim."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.editors.neovim_screen import GHOST_COLOUR, WIDTH, FrameWatcher, Screen
from benchmarks.editors.painted import Frame, faults

from ..editors.neovim.driver import GIVE_UP_S, Neovim, running_neovim
from ..editors.neovim.install_nvim import VERSIONS, installed_nvim
from ..installed import installed_or_skip

GHOST = 7
DRAW = """
local namespace = vim.api.nvim_create_namespace('drawn')
vim.api.nvim_buf_clear_namespace(0, namespace, 0, -1)
local lines = vim.split(..., '\\n')
if lines[1] ~= '' then
  vim.api.nvim_set_hl(0, 'Drawn', { fg = %d })
  vim.api.nvim_buf_set_extmark(0, namespace, 0, 2, {
    virt_text = { { lines[1], 'Drawn' } }, virt_text_pos = 'inline',
    virt_lines = lines[2] and { { { lines[2], 'Drawn' } } } or nil,
  })
end
vim.cmd.redraw()
"""


@pytest.fixture
def screen() -> Screen:
    screen = Screen()
    screen.handle("hl_attr_define", [GHOST, {"foreground": GHOST_COLOUR}, {}, []])
    screen.handle("hl_attr_define", [8, {"foreground": 0xFFFFFF}, {}, []])
    return screen


def draw(screen: Screen, row: int, cell_idx: int, *cells: tuple[object, ...]) -> None:
    screen.handle("grid_line", [1, row, cell_idx, list(cells), False])


def test_ghost_text_is_what_is_drawn_in_its_colour(screen: Screen) -> None:
    draw(screen, 0, 0, ("a", 8), ("=",), ("b", GHOST), ("c",), (" ", 0, WIDTH - 4))
    draw(screen, 1, 0, ("d", GHOST, 2), (" ", 0, WIDTH - 2))
    screen.handle("grid_cursor_goto", [1, 0, 2])
    assert screen.cursor_line() == "a="
    assert screen.ghost_text() == "bc\ndd"
    draw(screen, 0, 2, (" ", 0, 2))
    draw(screen, 1, 0, (" ", 0, 2))
    assert screen.ghost_text() == ""


@pytest.mark.parametrize(("num_rows", "expected"), [(1, ["1", "2", "2"]), (-1, ["0", "0", "1"])])
def test_a_region_scrolls(screen: Screen, num_rows: int, expected: list[str]) -> None:
    for row in range(3):
        draw(screen, row, 0, (str(row), 8))
    screen.handle("grid_scroll", [1, 0, 3, 0, WIDTH, num_rows, 0])
    found: list[str] = []
    for row in range(3):
        screen.handle("grid_cursor_goto", [1, row, 1])
        found.append(screen.cursor_line())
    assert found == expected


@pytest.fixture(params=VERSIONS)
def nvim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Neovim]:
    program = installed_or_skip(lambda: installed_nvim(request.param))
    with running_neovim(program, tmp_path / "nvim") as opened:
        yield opened


def frames_until(watcher: FrameWatcher, is_seen: Callable[[list[Frame]], bool]) -> list[Frame]:
    end_s = time.monotonic() + GIVE_UP_S
    while not is_seen(frames := watcher.stop()[0]):
        assert time.monotonic() < end_s, frames
        time.sleep(0.01)
    return frames


@pytest.mark.e2e
def test_a_frame_without_ghost_text_is_seen_in_a_real_neovim(nvim: Neovim, tmp_path: Path) -> None:
    """What the benchmark counts as a fault is one when it really happens."""
    address = tmp_path / "nvim.sock"
    nvim.nvim.funcs.serverstart(str(address))
    nvim.nvim.command("set noshowmode laststatus=0")
    watcher = FrameWatcher(address)
    nvim.type("ia=")
    frames_until(watcher, lambda frames: frames[-1].line == "a=")
    watcher.start()
    for text in ("one\ntwo", "", "one\ntwo\n", "on"):
        nvim.lua(DRAW % GHOST_COLOUR, text)
    frames = frames_until(watcher, lambda frames: frames[-1].ghost == "on")
    assert [frame.ghost for frame in frames] == ["", "one\ntwo", "", "one\ntwo", "on"]
    assert {frame.line for frame in frames} == {"a="}
    found = faults(frames)
    assert found.num_blank >= 1
    assert found.num_backward == 1
