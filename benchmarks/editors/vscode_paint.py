"""The real VS Code in a browser: somebody types, and every painted frame is looked at.

The user is one of the tests' (tests/editors/vscode): nothing of the real user's is read.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.editors.painted import Frame, Key, faults, latencies
from benchmarks.editors.report import EditorReport
from benchmarks.editors.typist import (
    BEFORE_FOLLOWING_S,
    COLD_LIMIT_S,
    FOLLOWED_CHARS,
    MAX_CHARS_TYPED,
    READING_S,
    exactly,
)
from benchmarks.editors.vscode_window import vscode_window
from benchmarks.lsp_typing import Keystroke, keystrokes
from benchmarks.typing_sessions import TypingSession
from tests.editors.extension import build_vsix
from tests.editors.vscode.sample import TYPED, at_the_gap
from tests.editors.vscode.workbench import SIZE, VSCode

_SAMPLER = Path(__file__).with_name("frame_sampler.js")
_ENGINE = "infill_engine"
_SETTINGS = {
    # What is typed is exactly what stands there, so that each key's line is known.
    "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never",
    "editor.autoIndent": "keep",
}
_ALL_ROWS_HEIGHT = 4000


async def measure(
    sessions: Sequence[TypingSession], num_keystrokes: int, num_cold: int, seed: int
) -> EditorReport:
    """Type in VS Code with the extension's default settings.

    Args:
        sessions: lines to type, one file each; as many as `num_keystrokes` takes.
        num_keystrokes: keys of the recorded session.
        num_cold: times that the engine is ended and started again by a key.
        seed: of the intervals and slips.

    Raises:
        NotInstallable: VS Code, Chromium or npm's packages cannot be had here.
        TimeoutError: the editor or the engine did not come up.
    """
    async with vscode_window(_SETTINGS) as vscode:
        await vscode.page.evaluate(_SAMPLER.read_text(encoding="utf-8"))
        typist = _Typist(vscode, seed)
        await typist.warm_up()
        activation_ms = await _activation_ms(vscode)
        await typist.type_lines(sessions, num_keystrokes)
        await typist.follow_ghost_texts(sessions)
        await typist.start_cold(num_cold)
    report = typist.report
    report.facts = {
        "vsix_bytes": build_vsix().stat().st_size,  # the one that was installed
        "activation_ms": activation_ms,
    }
    return report


class _Typist:
    """Somebody at the keys of one window, and what was measured of it."""

    def __init__(self, vscode: VSCode, seed: int) -> None:
        self.report = EditorReport("VS Code (code-server 4.139.1) in headless Chromium")
        self._vscode = vscode
        self._seed = seed

    async def warm_up(self) -> None:
        """Load what the first key, the first request and the first ghost text need."""
        await self._vscode.wait_for_status("check")
        await at_the_gap(self._vscode, "warm_up.py")
        await self._vscode.type(TYPED)
        await self._vscode.wait_for_ghost_text()
        await self._vscode.close_all()

    async def type_lines(self, sessions: Sequence[TypingSession], num_keystrokes: int) -> None:
        """Type recorded lines, with slips and pauses, whatever is suggested."""
        for idx, session in enumerate(sessions):
            left = num_keystrokes - self.report.num_keystrokes
            if left <= 0:
                break
            typed = list(keystrokes(session.line[:MAX_CHARS_TYPED], self._seed + idx))[:left]
            indentation = await self._open(f"line_{idx}.py", session)
            await self._record(indentation, typed)
            self.report.num_keystrokes += len(typed)

    async def follow_ghost_texts(self, sessions: Sequence[TypingSession]) -> None:
        """Begin the lines, and type on what is shown, where something is."""
        for idx, session in enumerate(sessions):
            indentation = await self._open(f"follow_{idx}.py", session)
            begun = session.line[: len(session.line) // 3]
            await self._record(indentation, exactly(begun, self._seed + idx))
            shown = await self._ghost_text_within(BEFORE_FOLLOWING_S)
            followed = shown.partition("\n")[0][:FOLLOWED_CHARS]
            if followed:
                await self._record(indentation + begun, exactly(followed, self._seed + idx))

    async def start_cold(self, num_times: int) -> None:
        """End the engine, type, and wait for the first ghost text."""
        for idx in range(num_times):
            await at_the_gap(self._vscode, f"cold_{idx}.py")
            engines = self._vscode.server.processes(_ENGINE)
            for engine in engines:
                engine.kill()
            psutil.wait_procs(engines, timeout=10.0)
            await self._start()
            await self._vscode.type(TYPED, delay_ms=150.0)
            begin_s = time.monotonic()
            while not await self._ghost_text_within(2.0):
                if time.monotonic() - begin_s > COLD_LIMIT_S:
                    raise TimeoutError(f"No ghost text within {COLD_LIMIT_S:g} s of a cold start.")
                # As somebody does who sees nothing: the last letter once more.
                await self._vscode.press("Backspace")
                await self._vscode.type(TYPED[-1])
            frames, keys, _ = await self._stop()
            painted = next(frame for frame in frames if frame.ghost)
            self.report.cold.append(painted.at_ms - keys[0])
            await self._vscode.close_all()

    async def _open(self, name: str, session: TypingSession) -> str:
        """Open the session's file, its line missing; returns what stands before the cursor."""
        await self._vscode.close_all()
        before, _, indentation = session.prefix.rpartition("\n")
        await self._vscode.open(name, session.prefix + session.suffix)
        line = before.count("\n") + 2 if before or session.prefix.startswith("\n") else 1
        await self._vscode.go_to(line, len(indentation) + 1)
        return indentation

    async def _record(self, line: str, typed: Sequence[Keystroke]) -> None:
        """Type behind `line` and add what was painted to the report."""
        lines: list[str] = []
        await self._start()
        for key in typed:
            await asyncio.sleep(key.wait_s)
            if key.inserted:
                line += key.inserted
                await self._vscode.type(key.inserted)
            else:
                line = line[:-1]
                await self._vscode.press("Backspace")
            lines.append(line)
        await asyncio.sleep(READING_S)
        frames, times_ms, num_frames = await self._stop()
        keys = [
            Key(at_ms, text, is_deletion=not key.inserted)
            for at_ms, text, key in zip(times_ms, lines, typed, strict=True)
        ]
        self.report.latencies.add(latencies(keys, frames))
        self.report.faults.add(faults(frames))
        self.report.num_frames += num_frames

    async def _ghost_text_within(self, limit_s: float) -> str:
        end_s = time.monotonic() + limit_s
        shown = ""
        while not shown and time.monotonic() < end_s:
            await asyncio.sleep(0.05)
            shown = await self._vscode.ghost_text()
        return shown

    async def _start(self) -> None:
        await self._vscode.page.evaluate("infillFrames.start()")

    async def _stop(self) -> tuple[list[Frame], list[float], int]:
        """Return the frames, the times of the keys, and how many frames were painted."""
        taken: dict[str, Any] = await self._vscode.page.evaluate("infillFrames.stop()")
        frames = [
            Frame(each["atMs"], each["frameIdx"], each["line"], each["ghost"])
            for each in taken["frames"]
        ]
        return frames, [each["atMs"] for each in taken["keys"]], taken["numFrames"]


async def _activation_ms(vscode: VSCode) -> int | None:
    """Return what VS Code itself says under Show Running Extensions; None if it says nothing."""
    await vscode.run("workbench.action.showRuntimeExtensions")
    # The list holds only the rows in view, the slowest extensions first.
    await vscode.page.set_viewport_size({"width": SIZE["width"], "height": _ALL_ROWS_HEIGHT})
    row = vscode.page.locator(".runtime-extensions-editor .extension", has_text="infill-ls").first
    await row.wait_for()
    text = await row.inner_text()
    await vscode.page.set_viewport_size(SIZE)
    await vscode.close_all()
    found = re.search(r"(?:Activation|Startup):?\D*(\d+)\s*ms", text)
    return int(found[1]) if found else None
