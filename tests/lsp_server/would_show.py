"""What the server would show in a scenario: its own decisions, with the model's answer given.

The one place where the suggest/suppress suite meets the server's code.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from lsprotocol import types

from infill_engine.api import InfillRequest, InfillResult
from lsp_server.completing import complete
from lsp_server.documents import OpenDocument, split_lines, without_ending
from lsp_server.engine_connection import Connect
from lsp_server.protocol import InfillServer
from lsp_server.session import Session
from lsp_server.settings import ServerSettings, SettingsSources
from lsp_server.speaking import read_only
from lsp_server.speaking.outcomes import Answer

from .scenario import Scenario


class _Engine:
    """Answers every request with the scenario's text."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def stream(
        self, request: InfillRequest, document: str
    ) -> AsyncGenerator[InfillResult, None]:
        yield InfillResult(self._text, "converged", 1, 1, 1, 0, 1, 0.1)


def would_show(scenario: Scenario) -> str | None:
    """Return the text that would be offered at the cursor; None when nothing would.

    The scenario's file stands in a workspace of its own, beside its .gitignore.
    """
    with tempfile.TemporaryDirectory(prefix="infill-scenario-") as name:
        folder = Path(name).resolve()
        path = folder / scenario.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        (folder / ".git").mkdir()
        if scenario.gitignore is not None:
            (folder / ".gitignore").write_text(scenario.gitignore)
        # Whoever runs the tests may be root, who can write anything.
        with patch.object(read_only.os, "access", lambda *_: not scenario.is_read_only):
            return asyncio.run(_ask(scenario, folder, path))


async def _ask(scenario: Scenario, folder: Path, path: Path) -> str | None:
    def make_connect(_: ServerSettings) -> Connect:
        return cast(Connect, None)  # the session's own engine is never asked

    settings: dict[str, Any] = {"speculate": False, "debounce": {"maxMs": 0}, **scenario.settings}
    if scenario.mode != "auto":
        settings["mode"] = scenario.mode
    folders = (folder.as_uri(),)
    sources = SettingsSources(settings, lambda: folders, lambda problems: None)
    session = Session(sources, "utf-32", make_connect, lambda *_: None, lambda: folders)
    session.engine = cast(Any, _Engine(scenario.answer))
    text = scenario.prefix + scenario.suffix
    document = OpenDocument(path.as_uri(), scenario.language_id, 1, text)
    session.documents.open(document)
    if scenario.is_after_deletion:
        session.speaker.on_edit(document.uri, 1, "")
    server = cast(InfillServer, SimpleNamespace(session=session, log=print))
    answer = await complete(server, _params(scenario, document))
    return answer.text if isinstance(answer, Answer) else None


def _params(scenario: Scenario, document: OpenDocument) -> types.InlineCompletionParams:
    lines = split_lines(scenario.prefix)
    line = without_ending(lines[-1])
    position = types.Position(len(lines) - 1, len(line))
    selected = None
    if scenario.menu_text is not None:  # it stands in for the word before the cursor
        word = len(line) - len(line.rstrip("_" + "".join(c for c in line if c.isalnum())))
        start = types.Position(position.line, position.character - word)
        selected = types.SelectedCompletionInfo(types.Range(start, position), scenario.menu_text)
    kinds = types.InlineCompletionTriggerKind
    kind = kinds.Invoked if scenario.is_invoked else kinds.Automatic
    return types.InlineCompletionParams(
        text_document=types.TextDocumentIdentifier(document.uri),
        position=position,
        context=types.InlineCompletionContext(kind, selected),
    )
