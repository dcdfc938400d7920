"""`infill-ls replay RECORDING`: plays a recorded session to a fresh server and prints what came.

Knows nothing of how the server answers.
"""

import time
from pathlib import Path
from typing import Any

import click

from infill_cli.denoising_view import safe_for_terminal
from infill_cli.lsp_process import LspProcess
from infill_engine.api import InfillError
from lsp_server.speaking.recording import read_recording

_READY_S = 180.0
_ANSWER_S = 60.0
_FIRST_NUMBER = 1_000_000
"""Of our own requests; those below are the recording's."""


@click.command(short_help="Play a recorded session to a fresh server.")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--timed", is_flag=True, help="At the recorded pace, else one after the other.")
def replay(recording: Path, timed: bool) -> None:
    """Print, for every request in RECORDING, what was answered then and what is answered now.

    RECORDING is a file that the setting "record" made. It holds the code that was edited.
    """
    head, events = read_recording(recording)
    then = {event["number"]: event for event in events if event["event"] == "answer"}
    with LspProcess() as server:
        _greet(server, head)
        asked: list[dict[str, Any]] = []
        began_s = time.monotonic()
        for event in events:
            if timed:
                _pass_time(server, began_s + event["at_ms"] / 1000)
            if event["event"] == "ask":
                asked.append(event)
            _play(server, event)
            if event["event"] == "ask" and not timed:
                server.wait_for_answers({event["number"]}, _ANSWER_S)
        server.wait_for_answers({event["number"] for event in asked}, _ANSWER_S)
        for event in asked:
            click.echo(_described(event, then.get(event["number"], {}), server))
        num_same = sum(
            _text_of(server, event["number"]) == then.get(event["number"], {}).get("text")
            for event in asked
        )
    click.echo(f"{len(asked)} requests, {num_same} answered as they were recorded.")


def _greet(server: LspProcess, head: dict[str, Any]) -> None:
    """Initialize the server, and wait until its engine is ready."""
    params = {
        "processId": None,
        "rootUri": None,
        "capabilities": {"general": {"positionEncodings": [head.get("encoding", "utf-16")]}},
        "initializationOptions": head.get("options"),
    }
    server.request(_FIRST_NUMBER, "initialize", params)
    server.wait_for_answers({_FIRST_NUMBER}, _READY_S)
    server.notify("initialized", {})
    give_up_at_s = time.monotonic() + _READY_S
    while time.monotonic() < give_up_at_s:
        message = server.take(give_up_at_s - time.monotonic()) or {}
        if message.get("method") != "infill/status":
            continue
        if message["params"]["state"] == "ready":
            return
        if message["params"]["state"] == "unavailable":
            raise InfillError(message["params"]["message"])
    raise InfillError("The engine was not ready in time; see `infill-ls engine status`.")


def _pass_time(server: LspProcess, until_s: float) -> None:
    while (left_s := until_s - time.monotonic()) > 0:
        server.take(left_s)


def _play(server: LspProcess, event: dict[str, Any]) -> None:
    document = {"uri": event.get("uri")}
    if event["event"] == "open":
        opened = {
            **document,
            "languageId": event["language_id"],
            "version": event["version"],
            "text": event["text"],
        }
        server.notify("textDocument/didOpen", {"textDocument": opened})
    elif event["event"] == "change":
        changes = [_change(edit) for edit in event["edits"]]
        changed = {**document, "version": event["version"]}
        server.notify(
            "textDocument/didChange", {"textDocument": changed, "contentChanges": changes}
        )
    elif event["event"] == "close":
        server.notify("textDocument/didClose", {"textDocument": document})
    elif event["event"] == "ask":
        params = {
            "textDocument": document,
            "position": {"line": event["line"], "character": event["units"]},
            "context": {"triggerKind": 1 if event["is_invoked"] else 2},
        }
        server.request(event["number"], "textDocument/inlineCompletion", params)


def _change(edit: Any) -> dict[str, Any]:
    if isinstance(edit, str):
        return {"text": edit}
    start_line, start_units, end_line, end_units, text = edit
    start = {"line": start_line, "character": start_units}
    end = {"line": end_line, "character": end_units}
    return {"range": {"start": start, "end": end}, "text": text}


def _text_of(server: LspProcess, number: int) -> str | None:
    result, _ = server.answers.get(number, (None, 0.0))
    items = result.get("items", []) if isinstance(result, dict) else result or []
    return items[0].get("insertText") if items else None


def _described(event: dict[str, Any], then: dict[str, Any], server: LspProcess) -> str:
    number = event["number"]
    _, took_s = server.answers.get(number, (None, 0.0))
    now = _text_of(server, number)
    recorded = then.get("text")
    line = f"#{number} line {event['line'] + 1}, {took_s * 1000:.0f} ms: {_quoted(now)}"
    if now == recorded:
        return line
    why = f" ({then['reason']})" if then.get("reason") else ""
    return f"{line}\n    recorded: {_quoted(recorded)}{why}"


def _quoted(text: str | None) -> str:
    return "nothing" if text is None else safe_for_terminal(repr(text))
