"""The real Neovim: somebody types, and every frame that Neovim draws is looked at.

A frame counts as painted when Neovim has told a user interface all of it; a terminal's own share
comes on top. Neither the user's configuration nor their engine is read.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.editors.neovim_screen import GHOST_COLOUR, FrameWatcher
from benchmarks.editors.painted import Key, faults, latencies
from benchmarks.editors.report import EditorReport
from benchmarks.editors.typist import (
    BEFORE_FOLLOWING_S,
    COLD_LIMIT_S,
    FOLLOWED_CHARS,
    MAX_CHARS_TYPED,
    READING_S,
    exactly,
)
from benchmarks.lsp_typing import Keystroke, keystrokes
from benchmarks.typing_sessions import TypingSession
from infill_engine.process_state import read_state
from tests.editors.neovim.driver import Neovim, running_neovim
from tests.editors.neovim.install_nvim import installed_nvim
from tests.editors.own_engine import own_engine
from tests.editors.vscode.sample import AFTER, BEFORE, GAP_LINE, TYPED

_VERSION = "0.12"
_KEY_NAMES = {"<": "<lt>", " ": "<Space>", "": "<BS>"}
_PLAIN = """
set nonumber signcolumn=no nowrap noautoindent nosmartindent indentexpr= nocindent shortmess+=F
filetype on
"""


async def measure(
    sessions: Sequence[TypingSession], num_keystrokes: int, num_cold: int, seed: int
) -> EditorReport:
    """Type in Neovim with the plugin's own ghost text and the server's default settings.

    Args:
        sessions: lines to type, one file each; as many as `num_keystrokes` takes.
        num_keystrokes: keys of the recorded session.
        num_cold: times that the engine is ended and started again by a key.
        seed: of the intervals and slips.

    Raises:
        NotInstallable: this Neovim cannot be had here.
        TimeoutError: the editor or the engine did not come up.
    """
    # The editor is driven by blocking calls, and nothing else runs meanwhile.
    return await asyncio.to_thread(_measure, sessions, num_keystrokes, num_cold, seed)


def _measure(
    sessions: Sequence[TypingSession], num_keystrokes: int, num_cold: int, seed: int
) -> EditorReport:
    program = installed_nvim(_VERSION)
    with tempfile.TemporaryDirectory(prefix="infill-neovim-") as root:
        folder = Path(root)
        with (
            own_engine(folder) as environment,
            running_neovim(program, folder / "nvim", environment) as editor,
        ):
            typist = _Typist(editor, folder, seed)
            typist.warm_up()
            typist.type_lines(sessions, num_keystrokes)
            typist.follow_ghost_texts(sessions)
            typist.start_cold(num_cold)
            return typist.report


class _Typist:
    """Somebody at the keys of one Neovim, and what was measured of it."""

    def __init__(self, editor: Neovim, folder: Path, seed: int) -> None:
        version = editor.lua("return tostring(vim.version())")
        self.report = EditorReport(f"Neovim {version}, user interface events")
        self._editor = editor
        self._folder = folder
        self._seed = seed
        address = folder / "nvim.sock"
        editor.nvim.funcs.serverstart(str(address))
        for command in _PLAIN.strip().splitlines():
            editor.nvim.command(command)
        editor.lua("vim.api.nvim_set_hl(0, 'InfillGhost', { fg = ... })", GHOST_COLOUR)
        begin_s = time.perf_counter()
        editor.lua("require('infill').setup()")
        self.report.facts = {"setup_ms": round(1000 * (time.perf_counter() - begin_s), 1)}
        self._watcher = FrameWatcher(address)

    def warm_up(self) -> None:
        """Load what the first key, the first request and the first ghost text need."""
        self._at_the_gap("warm_up.py")
        self._editor.wait_for(lambda: self._editor.status() == "ready", "no engine")
        self._type(TYPED)
        self._editor.wait_for(lambda: self._watcher.ghost_text, "no ghost text")

    def type_lines(self, sessions: Sequence[TypingSession], num_keystrokes: int) -> None:
        """Type recorded lines, with slips and pauses, whatever is suggested."""
        for idx, session in enumerate(sessions):
            left = num_keystrokes - self.report.num_keystrokes
            if left <= 0:
                break
            typed = list(keystrokes(session.line[:MAX_CHARS_TYPED], self._seed + idx))[:left]
            indentation = self._open(f"line_{idx}.py", session)
            self._record(indentation, typed)
            self.report.num_keystrokes += len(typed)

    def follow_ghost_texts(self, sessions: Sequence[TypingSession]) -> None:
        """Begin the lines, and type on what is shown, where something is."""
        for idx, session in enumerate(sessions):
            indentation = self._open(f"follow_{idx}.py", session)
            begun = session.line[: len(session.line) // 3]
            self._record(indentation, exactly(begun, self._seed + idx))
            shown = self._ghost_text_within(BEFORE_FOLLOWING_S)
            followed = shown.partition("\n")[0][:FOLLOWED_CHARS]
            if followed:
                self._record(indentation + begun, exactly(followed, self._seed + idx))

    def start_cold(self, num_times: int) -> None:
        """End the engine, type, and wait for the first ghost text."""
        for idx in range(num_times):
            self._at_the_gap(f"cold_{idx}.py")
            engine = read_state()
            if engine is not None:
                process = psutil.Process(engine.pid)
                process.kill()
                psutil.wait_procs([process], timeout=10.0)
            self._watcher.start()
            begin_ms = 1000 * time.perf_counter()
            self._type(TYPED, wait_s=0.15)
            begin_s = time.monotonic()
            while not self._ghost_text_within(2.0):
                if time.monotonic() - begin_s > COLD_LIMIT_S:
                    raise TimeoutError(f"No ghost text within {COLD_LIMIT_S:g} s of a cold start.")
                # As somebody does who sees nothing: the last letter once more.
                self._press("")
                self._type(TYPED[-1])
            frames, _ = self._watcher.stop()
            painted = next(frame for frame in frames if frame.ghost)
            self.report.cold.append(painted.at_ms - begin_ms)

    def _at_the_gap(self, name: str) -> None:
        self._edit(name, BEFORE + "\n" + AFTER, GAP_LINE)

    def _open(self, name: str, session: TypingSession) -> str:
        """Open the session's file, its line missing; returns what stands before the cursor."""
        indentation = session.prefix.rpartition("\n")[2]
        text = session.prefix + session.suffix
        self._edit(name, text, session.prefix.count("\n") + 1)
        return indentation

    def _edit(self, name: str, text: str, line: int) -> None:
        """Open a file of its own, in insert mode at the end of a line (from 1)."""
        nvim = self._editor.nvim
        nvim.input("<Esc>")
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        nvim.command(f"silent edit! {path}")
        nvim.command("setlocal indentexpr= noautoindent indentkeys= formatoptions= textwidth=0")
        self._editor.wait_for(
            lambda: self._editor.lua("return require('infill.client').of() ~= nil"), "not served"
        )
        nvim.funcs.cursor(line, 1)
        nvim.command("normal! zz")
        nvim.input("A")
        self._editor.wait_for(lambda: nvim.funcs.mode() == "i", "no insert mode")

    def _record(self, line: str, typed: Sequence[Keystroke]) -> None:
        """Type behind `line` and add what was painted to the report."""
        keys: list[Key] = []
        self._watcher.start()
        for key in typed:
            time.sleep(key.wait_s)
            line = line + key.inserted if key.inserted else line[:-1]
            at_ms = 1000 * time.perf_counter()
            self._press(key.inserted)
            keys.append(Key(at_ms, line, is_deletion=not key.inserted))
        time.sleep(READING_S)
        frames, num_frames = self._watcher.stop()
        self.report.latencies.add(latencies(keys, frames))
        self.report.faults.add(faults(frames))
        self.report.num_frames += num_frames

    def _type(self, text: str, wait_s: float = 0.05) -> None:
        for char in text:
            self._press(char)
            time.sleep(wait_s)

    def _press(self, char: str) -> None:
        """Press the key of a character, Backspace for ""."""
        self._editor.nvim.input(_KEY_NAMES.get(char, char))

    def _ghost_text_within(self, limit_s: float) -> str:
        """What is seen, not what the plugin has: a frame may be on its way yet."""
        end_s = time.monotonic() + limit_s
        shown = ""
        while not shown and time.monotonic() < end_s:
            time.sleep(0.05)
            shown = self._watcher.ghost_text
        return shown
