"""Neovim's screen as a terminal would draw it: cells, and what they show at every flush.

A second user interface beside the one that types: it reads the same events on a thread of its own
and notes when each frame was complete. Knows nothing of suggestions but the colour they are in.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pynvim

from benchmarks.editors.painted import Frame

WIDTH, HEIGHT = 120, 40
GHOST_COLOUR = 0x123457
"""No colour scheme has it: what is drawn in it is ghost text."""


class Screen:
    """The grid, brought up to date by `redraw` events (`:help ui-linegrid`)."""

    def __init__(self) -> None:
        self._cells: list[list[tuple[str, int]]] = []
        self._ghost_ids: set[int] = set()
        self._row, self._cell_idx = 0, 0
        self._resize(WIDTH, HEIGHT)

    def handle(self, name: str, arguments: Sequence[Any]) -> None:
        """Take one event, of those that change cells, the cursor or colours."""
        if name == "grid_line":
            self._line(*arguments[1:4])
        elif name == "grid_scroll":
            self._scroll(*arguments[1:6])
        elif name == "grid_cursor_goto":
            self._row, self._cell_idx = arguments[1], arguments[2]
        elif name == "grid_clear":
            self._resize(len(self._cells[0]), len(self._cells))
        elif name == "grid_resize":
            self._resize(arguments[1], arguments[2])
        elif name == "hl_attr_define":
            # Ids are given anew when the colour scheme changes.
            is_ghost = arguments[1].get("foreground") == GHOST_COLOUR
            (self._ghost_ids.add if is_ghost else self._ghost_ids.discard)(arguments[0])

    def cursor_line(self) -> str:
        """What stands before the cursor in its line, ghost text left out."""
        cells = self._cells[self._row][: self._cell_idx]
        return "".join(text for text, colour in cells if colour not in self._ghost_ids)

    def ghost_text(self) -> str:
        """The ghost text at the cursor and in the lines below it, "" for none."""
        lines = [self._ghost_in(self._cells[self._row][self._cell_idx :])]
        for cells in self._cells[self._row + 1 :]:
            below = self._ghost_in(cells)
            if not below:
                break
            lines.append(below)
        return "\n".join(lines) if any(lines) else ""

    def _ghost_in(self, cells: Iterable[tuple[str, int]]) -> str:
        return "".join(text for text, colour in cells if colour in self._ghost_ids)

    def _resize(self, width: int, height: int) -> None:
        self._cells = [[(" ", 0)] * width for _ in range(height)]

    def _line(self, row: int, cell_idx: int, cells: Sequence[Sequence[Any]]) -> None:
        colour = 0
        for text, *more in cells:
            colour = more[0] if more else colour
            num_cells = more[1] if len(more) > 1 else 1
            self._cells[row][cell_idx : cell_idx + num_cells] = [(text, colour)] * num_cells
            cell_idx += num_cells

    def _scroll(self, top: int, bottom: int, left: int, right: int, num_rows: int) -> None:
        """Move a region up by so many rows, down if negative; what is left over is drawn later."""
        rows = (
            range(top, bottom - num_rows)
            if num_rows > 0
            else range(bottom - 1, top - num_rows - 1, -1)
        )
        for row in rows:
            self._cells[row][left:right] = self._cells[row + num_rows][left:right]


class FrameWatcher:
    """Notes a frame whenever Neovim has told all of it and something the user looks at changed."""

    def __init__(self, address: Path) -> None:
        """Attach to the Neovim that listens at `address`; returns when it draws for us too."""
        self._address = address
        self._screen = Screen()
        self._frames: list[Frame] = []
        self._num_frames = 0
        self._lock = threading.Lock()
        self._is_attached = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="neovim-frames", daemon=True)
        self._thread.start()
        if not self._is_attached.wait(30.0):
            raise TimeoutError("Neovim did not draw for a second user interface within 30 s.")

    def start(self) -> None:
        """Forget the frames so far, but for what the newest still shows."""
        now_ms = 1000 * time.perf_counter()
        with self._lock:
            self._frames = [
                replace(frame, at_ms=now_ms, frame_idx=0) for frame in self._frames[-1:]
            ]
            self._num_frames = 0

    @property
    def ghost_text(self) -> str:
        """The ghost text of the newest frame, "" for none."""
        with self._lock:
            return self._frames[-1].ghost if self._frames else ""

    def stop(self) -> tuple[list[Frame], int]:
        """Return what stood there at `start`, what changed it since, and the number of frames."""
        with self._lock:
            return list(self._frames), self._num_frames

    def _watch(self) -> None:
        nvim: Any = pynvim.attach("socket", path=str(self._address))

        def attach() -> None:
            nvim.ui_attach(WIDTH, HEIGHT, rgb=True, ext_linegrid=True)
            self._is_attached.set()

        try:
            nvim.run_loop(lambda name, arguments: None, self._on_notification, attach)
        except (OSError, EOFError):
            return  # Neovim has ended

    def _on_notification(self, name: str, batches: Sequence[Sequence[Any]]) -> None:
        at_ms = 1000 * time.perf_counter()
        for event, *calls in batches if name == "redraw" else ():
            for arguments in calls:
                if event == "flush":
                    self._note(at_ms)
                else:
                    self._screen.handle(event, arguments)

    def _note(self, at_ms: float) -> None:
        line, ghost = self._screen.cursor_line(), self._screen.ghost_text()
        with self._lock:
            self._num_frames += 1
            last = self._frames[-1] if self._frames else None
            if last is None or (last.line, last.ghost) != (line, ghost):
                self._frames.append(Frame(at_ms, self._num_frames, line, ghost))
