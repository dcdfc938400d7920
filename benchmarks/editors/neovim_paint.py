"""Keypress to paint in a real Neovim: `python -m benchmarks.editors.neovim_paint`.

Somebody types lines of the standard library into an embedded Neovim with the plugin, the server
and the embedded model. Each frame that Neovim draws is noted with its ghost text. Tells how long
after a key the first frame with ghost text came, and in how many frames shown text was blank or
jumped, which must be 0. The last line is one JSON object. Needs the project's [dev] extra.
"""

import json
import sys
import tempfile
import time
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from benchmarks.distribution import percentile
from benchmarks.machine import describe_machine
from benchmarks.private_engine import private_runtime_folder
from benchmarks.typing_sessions import typing_sessions
from infill_engine.config import EngineConfig
from infill_engine.tokenizer import Tokenizer
from tests.editors.neovim.driver import Neovim, running_neovim
from tests.editors.neovim.install_nvim import installed_nvim

_KEY_WAIT_S = 0.18  # between two keys of somebody who types fast
_MAX_LINE_CHARS = 40
_CONTEXT_TOKENS = 512

RECORD_FRAMES = """
_G.events = {}
local ghost = vim.api.nvim_create_namespace('infill.ghost')
vim.on_key(function(_, typed)
  if typed and typed ~= '' then
    table.insert(_G.events, { kind = 'key', at_ms = vim.uv.hrtime() / 1e6 })
  end
end)
vim.api.nvim_set_decoration_provider(vim.api.nvim_create_namespace('frames'), {
  on_end = function()
    local mark = vim.api.nvim_buf_get_extmarks(0, ghost, 0, -1, { details = true })[1]
    local text = mark and mark[4].virt_text and mark[4].virt_text[1][1] or ''
    table.insert(_G.events, {
      kind = 'frame', at_ms = vim.uv.hrtime() / 1e6, ghost = text,
      line = vim.api.nvim_get_current_line(),
    })
  end,
})
"""


def count_jumps(events: list[dict[str, Any]]) -> int:
    """How many frames took back or changed shown text that the user did not contradict.

    Args:
        events: of one line typed at its end: keys, and frames with their line and ghost text.
    """
    num_jumps = 0
    frames = [event for event in events if event["kind"] == "frame"]
    for before, after in pairwise(frames):
        promised = before["line"] + before["ghost"]
        still_fits = after["line"].startswith(before["line"]) and promised.startswith(after["line"])
        if before["ghost"] and still_fits and after["line"] != promised:
            num_jumps += not (after["line"] + after["ghost"]).startswith(promised)
    return num_jumps


def paint_times_ms(events: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """Milliseconds from a key to the first frame with ghost text before the next key.

    Returns:
        Those for keys that asked the model, and those for keys that typed what was shown.
    """
    asked: list[float] = []
    typed_through: list[float] = []
    shown_before = ""
    for idx, event in enumerate(events):
        if event["kind"] == "frame":
            shown_before = event["line"] + event["ghost"] if event["ghost"] else ""
            continue
        for later in events[idx + 1 :]:
            if later["kind"] == "key":
                break
            if later["ghost"]:
                is_along = shown_before != "" and shown_before.startswith(later["line"])
                (typed_through if is_along else asked).append(later["at_ms"] - event["at_ms"])
                break
    return asked, typed_through


def _type_line(editor: Neovim, prefix: str, suffix: str, line: str) -> list[dict[str, Any]]:
    editor.nvim.current.buffer[:] = (prefix + suffix).split("\n")
    row, indent = prefix.count("\n") + 1, prefix.rpartition("\n")[2]
    editor.nvim.current.window.cursor = (row, len(indent))
    editor.keys("A" if not suffix.partition("\n")[0] else "i")
    editor.lua("_G.events = {}")
    for char in line[:_MAX_LINE_CHARS]:
        editor.keys("<lt>" if char == "<" else char)
        time.sleep(_KEY_WAIT_S)
    events = editor.lua("return _G.events")
    editor.keys("<Esc>")
    return events


@click.command()
@click.option("--keys", "num_keys", default=200, show_default=True, help="Keystrokes to type.")
@click.option("--version", default="0.11", show_default=True, help="Neovim's: 0.11 or 0.12.")
@click.option("--min-confidence", default=0.5, show_default=True, help="As the setting.")
@click.option("--seed", default=0, show_default=True, help="Which lines are typed.")
def main(num_keys: int, version: str, seed: int, min_confidence: float) -> None:
    """Type, and tell what was painted when."""
    asked: list[float] = []
    along: list[float] = []
    num_jumps = num_frames = num_typed = 0
    tokenizer = Tokenizer.from_folder(EngineConfig().folder)
    # Every line has a few keys at least: these are more than enough.
    sessions = typing_sessions(num_keys // 4 + 1, _CONTEXT_TOKENS, tokenizer, seed)
    with private_runtime_folder(), tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "a.py"
        source.write_text("\n")
        with running_neovim(installed_nvim(version), Path(scratch) / "nvim") as editor:
            editor.nvim.command(f"edit {source}")
            editor.nvim.command("set noautoindent indentexpr= indentkeys=")
            command = [sys.executable, "-m", "lsp_server"]
            settings = {"minConfidence": min_confidence}
            editor.lua("require('infill').setup(...)", {"cmd": command, "settings": settings})
            editor.wait_for(lambda: editor.status() == "ready", "the engine is not ready")
            editor.lua(RECORD_FRAMES)
            for session in sessions:
                if num_typed >= num_keys:
                    break
                events = _type_line(editor, session.prefix, session.suffix, session.line)
                num_typed += sum(event["kind"] == "key" for event in events)
                num_frames += sum(event["kind"] == "frame" for event in events)
                num_jumps += count_jumps(events)
                for all_times, times in zip((asked, along), paint_times_ms(events), strict=True):
                    all_times.extend(times)
    result = {
        "neovim": version,
        "num_keys": num_typed,
        "num_frames": num_frames,
        "num_blank_or_backward_frames": num_jumps,
        "keypress_to_paint_ms": _spread(asked),
        "typed_through_ms": _spread(along),
        **asdict(describe_machine()),
    }
    click.echo(json.dumps(result))


def _spread(times_ms: list[float]) -> dict[str, float]:
    if not times_ms:
        return {"num": 0}
    p50, p95 = percentile(times_ms, 50), percentile(times_ms, 95)
    return {"num": len(times_ms), "p50": round(p50, 1), "p95": round(p95, 1)}


if __name__ == "__main__":
    main()
