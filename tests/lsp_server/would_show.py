"""What the server would show in a scenario: its own decisions, with the model's answer given.

The one place where the suggest/suppress suite meets the server's code.
"""

from typing import cast

from lsprotocol import types

from lsp_server.documents import OpenDocument, split_lines, without_ending
from lsp_server.engine_connection import Connect
from lsp_server.from_lsp import build_request
from lsp_server.postprocess import clean_middle
from lsp_server.session import Session
from lsp_server.settings import ServerSettings, parse_settings

from .scenario import Scenario


def would_show(scenario: Scenario) -> str | None:
    """Return the text that would be offered at the cursor; None or "" when nothing would.

    1. Is anything suggested in this document?
    2. At this moment and place?
    3. What is left of the model's answer?
    """
    settings, _ = parse_settings(scenario.settings)
    if scenario.mode != "auto":
        settings, _ = parse_settings({"mode": scenario.mode}, settings)
    uri = f"file:///workspace/{scenario.path}"
    text = scenario.prefix + scenario.suffix
    document = OpenDocument(uri, scenario.language_id, 1, text)
    # 1. Is anything suggested in this document?
    if _session(settings).why_withheld(document) is not None:
        return None
    # 2. At this moment and place? Of the menu's item only that one is selected is known so far.
    if scenario.menu_text is not None:
        return None
    # 3. What is left of the model's answer?
    lines = split_lines(scenario.prefix)
    position = types.Position(len(lines) - 1, len(without_ending(lines[-1])))
    request = build_request(document, position, scenario.is_invoked, "utf-32", settings, ())
    mode = "block" if request.mode == "block" else "line"
    return clean_middle(scenario.answer, request.prefix, request.suffix, mode, scenario.language_id)


def _session(settings: ServerSettings) -> Session:
    def make_connect(_: ServerSettings) -> Connect:
        return cast(Connect, None)  # no engine is ever asked for

    return Session(settings, "utf-32", make_connect, lambda state, message: None)
