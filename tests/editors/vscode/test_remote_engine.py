"""An engine at an address that the user names: told when it refuses or is missing, else used."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .sample import TYPED, at_the_gap, typed_at_the_gap
from .user_folders import SHOW_ALL
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

WATCHED_S = 2.0


@contextmanager
def engine_at(vscode: VSCode, url: str, token: str) -> Iterator[None]:
    """Let the machine's settings name an engine."""
    named = {"infill.engine.url": url, "infill.engine.token": token}
    vscode.server.folders.write_settings(SHOW_ALL, named)
    try:
        yield
    finally:
        vscode.server.folders.write_settings(SHOW_ALL)


async def test_a_wrong_token_is_told_and_the_right_one_works(vscode: VSCode) -> None:
    state = json.loads((vscode.server.folders.root / "run" / "engine.json").read_text())
    url = f"http://127.0.0.1:{state['port']}"
    with engine_at(vscode, url, "wrong"):
        await vscode.wait_for_status("warning", "token")
        await at_the_gap(vscode, "with_a_wrong_token.py")
        await vscode.type(TYPED)
        assert await vscode.ghost_texts_within(WATCHED_S) == {""}
        assert len(await vscode.notifications()) <= 1
        assert not await vscode.has_dialog()
        await vscode.screenshot("engine-refused")
    with engine_at(vscode, url, state["token"]):
        await vscode.wait_for_status("check")
        assert await typed_at_the_gap(vscode, "with_the_right_token.py")
    await vscode.wait_for_status("check")


async def test_an_engine_that_is_not_there_is_told(vscode: VSCode) -> None:
    with engine_at(vscode, "http://127.0.0.1:9", "any"):
        await vscode.wait_for_status("warning", "127.0.0.1:9")
        await at_the_gap(vscode, "without_an_engine.py")
        await vscode.type(TYPED)
        assert await vscode.ghost_texts_within(WATCHED_S) == {""}
        assert not await vscode.has_dialog()
    await vscode.wait_for_status("check")
