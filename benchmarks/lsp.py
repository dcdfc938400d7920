"""The language server as an editor sees it: `python -m benchmarks.lsp`.

A real server over stdio with a real engine, and somebody who types lines of the standard library
with human intervals and slips. Prints the time from keystroke to answer, how many keystrokes needed
no model, and how much work was cancelled; then round trips without an engine on files of 12, 10,000
and 100,000 lines: of them the server's own share is what goes beyond the first. The last line is
one JSON object.
"""

import asyncio
import json
import re
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.distribution import percentile
from benchmarks.lsp_editor import MeasuringEditor
from benchmarks.lsp_typing import keystrokes
from benchmarks.machine import describe_machine
from benchmarks.private_engine import private_runtime_folder, timed_start
from benchmarks.typing_sessions import TypingSession, typing_sessions
from infill_client.address import EngineAddress
from infill_client.settings import EngineSettings
from infill_engine.config import EngineConfig
from infill_engine.tokenizer import Tokenizer

_CONTEXT_TOKENS = 512
_MAX_CHARS_TYPED = 40
_OVERHEAD_REQUESTS = 400
_OVERHEAD_WARM_UPS = 30  # grammars are loaded and the file is parsed for the first time meanwhile
_OVERHEAD_LINES = (12, 10_000, 100_000)  # the first shows what client and pipe take by themselves


@dataclass(frozen=True, slots=True)
class Work:
    """What the engine has done so far: requests it ended, and of these the cancelled."""

    num_requests: int
    num_cancelled: int

    @classmethod
    def of(cls, address: EngineAddress) -> "Work":
        """Read the engine's own counters."""
        request = urllib.request.Request(
            f"{address.url}/metrics", headers={"Authorization": f"Bearer {address.token}"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read().decode()
        counts = re.findall(r'infill_requests_total\{.*?outcome="(\w+)".*?\} ([\d.e+]+)', text)
        total = sum(float(number) for _, number in counts)
        cancelled = sum(float(number) for outcome, number in counts if outcome == "cancelled")
        return cls(int(total), int(cancelled))


async def type_sessions(
    address: EngineAddress, sessions: list[TypingSession], seed: int
) -> dict[str, Any]:
    """Type every session's line, asking after each keystroke."""
    editor = MeasuringEditor()
    options = {"engine": {"url": address.url, "token": address.token}}
    initialize_s = await editor.start(options)
    await editor.wait_until_ready()
    before = Work.of(address)
    num_keystrokes = 0
    for idx, session in enumerate(sessions):
        editor.open(session.prefix + session.suffix)
        line = session.prefix.count("\n")
        column = len(session.prefix.rpartition("\n")[2])
        for key in keystrokes(session.line[:_MAX_CHARS_TYPED], seed + idx):
            await asyncio.sleep(key.wait_s)
            editor.type(key.inserted, line, column)
            column += 1 if key.inserted else -1
            editor.ask(line, column)
            num_keystrokes += 1
        await editor.settle()
    after = Work.of(address)
    await editor.close()
    answered = [asked for asked in editor.asked if not asked.is_cancelled]
    num_asked = after.num_requests - before.num_requests
    return {
        "initialize_s": round(initialize_s, 3),
        "num_keystrokes": num_keystrokes,
        "num_engine_requests": num_asked,
        "share_without_model": round(1 - num_asked / num_keystrokes, 3),
        "num_cancelled_in_engine": after.num_cancelled - before.num_cancelled,
        "num_cancelled_by_editor": sum(asked.is_cancelled for asked in editor.asked),
        "share_shown": round(sum(bool(a.text) for a in answered) / max(1, len(answered)), 3),
        "keystroke_to_answer_ms": _percentiles([1000 * (a.ended_s - a.sent_s) for a in answered]),
        "keystroke_to_text_ms": _percentiles(
            [1000 * (a.ended_s - a.sent_s) for a in answered if a.text]
        ),
    }


async def own_share(num_lines: int) -> dict[str, Any]:
    """Milliseconds from keystroke to answer of a server without an engine.

    The very first answer and the slowest of the warm-ups are told apart.
    """
    editor = MeasuringEditor()
    await editor.start({"engine": {"url": "http://127.0.0.1:9", "token": "none"}})
    body = "".join(f"def f{i}(a, b):\n    return a + b * {i}\n\n" for i in range(num_lines // 3))
    editor.open(body)
    line = num_lines // 2 // 3 * 3 + 1
    taken_ms: list[float] = []
    for count in range(_OVERHEAD_REQUESTS):
        column = 4 + count
        begin_s = time.perf_counter()
        editor.type("x", line, column)
        editor.ask(line, column + 1)
        await editor.settle()
        taken_ms.append(1000 * (time.perf_counter() - begin_s))
    await editor.close()
    warm_ups, taken_ms = taken_ms[:_OVERHEAD_WARM_UPS], taken_ms[_OVERHEAD_WARM_UPS:]
    first = {"first": round(warm_ups[0], 1), "warm_up_max": round(max(warm_ups[1:]), 1)}
    return {**_percentiles(taken_ms), **first}


def _percentiles(values: list[float]) -> dict[str, Any]:
    if not values:
        return {"count": 0}
    named = {f"p{p}": round(percentile(values, p), 2) for p in (50, 95, 99)}
    return {**named, "count": len(values)}


async def _measure(address: EngineAddress, sessions: list[TypingSession], seed: int) -> Any:
    return {
        "typing": await type_sessions(address, sessions, seed),
        "own_share_ms": {
            str(num_lines): await own_share(num_lines) for num_lines in _OVERHEAD_LINES
        },
    }


@click.command()
@click.option("--num-sessions", type=click.IntRange(min=1), default=12, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def main(num_sessions: int, seed: int) -> None:
    """Measure the language server."""
    machine = describe_machine()
    tokenizer = Tokenizer.from_folder(EngineConfig().folder)
    sessions = typing_sessions(num_sessions, _CONTEXT_TOKENS, tokenizer, seed)
    with private_runtime_folder():
        address, _ = timed_start(EngineSettings(idle_exit_minutes=10.0))
        report = asyncio.run(_measure(address, sessions, seed))
    table = Table(title=f"Language server, {num_sessions} lines typed")
    table.add_column("measure")
    for column in ("p50", "p95", "p99"):
        table.add_column(column, justify="right")
    typing = report["typing"]
    rows = {
        "keystroke to answer, ms": typing["keystroke_to_answer_ms"],
        "keystroke to text, ms": typing["keystroke_to_text_ms"],
        **{
            f"without an engine, {n} lines, ms": taken
            for n, taken in report["own_share_ms"].items()
        },
    }
    for name, taken in rows.items():
        table.add_row(name, *(str(taken.get(p, "-")) for p in ("p50", "p95", "p99")))
    console = Console()
    console.print(table)
    console.print(
        f"{typing['num_keystrokes']} keystrokes, {typing['num_engine_requests']} engine requests "
        f"({typing['share_without_model']:.0%} needed none), {typing['num_cancelled_in_engine']} "
        f"cancelled in the engine; initialize in {typing['initialize_s']:.2f} s"
    )
    console.print(str(machine), highlight=False, soft_wrap=True)
    print(json.dumps({"benchmark": "lsp", "seed": seed, **report, "machine": machine.to_dict()}))


if __name__ == "__main__":
    main()
