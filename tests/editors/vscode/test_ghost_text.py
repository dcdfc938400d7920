"""Ghost text from the embedded model in a real VS Code: seen, taken, typed through, dismissed."""

import json

import pytest

from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

BEFORE = """import json
from pathlib import Path


def read_config(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    return json.loads(text)


def read_state(path: Path) -> dict[str, str]:
"""
AFTER = """

def main() -> None:
    print(read_config(Path("config.json")))
"""
TYPED = "    text = "


async def typed_at_the_gap(vscode: VSCode, name: str) -> str:
    """Open the file, type the beginning of a line as a person does; returns the ghost text."""
    await vscode.open(name, BEFORE + "\n" + AFTER)
    await vscode.go_to(BEFORE.count("\n") + 1, 1)
    await vscode.type(TYPED)
    return await vscode.wait_for_ghost_text()


async def test_tab_accepts_all_and_the_file_has_it(vscode: VSCode) -> None:
    offered = await typed_at_the_gap(vscode, "accept_all.py")
    await vscode.screenshot("ghost-text")
    await vscode.press("Tab")
    await vscode.wait_until(lambda: line_is(vscode, TYPED + offered.partition("\n")[0]), "accepted")
    assert await vscode.save() == BEFORE + TYPED + offered + "\n" + AFTER
    state = json.loads((vscode.server.folders.root / "run" / "engine.json").read_text())
    assert state["model"] == "embedded"


async def test_one_undo_takes_back_what_was_accepted_and_nothing_else(vscode: VSCode) -> None:
    await typed_at_the_gap(vscode, "undo.py")
    await vscode.press("Tab")
    await vscode.wait_until(lambda: line_is_longer(vscode, TYPED), "accepted")
    await vscode.press("Control+z")
    await vscode.wait_until(lambda: line_is(vscode, TYPED), "undone")
    assert await vscode.save() == BEFORE + TYPED + "\n" + AFTER


async def test_a_word_is_accepted_and_the_rest_stays(vscode: VSCode) -> None:
    offered = await typed_at_the_gap(vscode, "accept_word.py")
    await vscode.press("Control+ArrowRight")
    await vscode.wait_until(lambda: line_is_longer(vscode, TYPED), "a word accepted")
    word = (await vscode.cursor_line()).removeprefix(TYPED)
    assert offered.startswith(word)
    assert 0 < len(word) < len(offered)
    assert await vscode.wait_for_ghost_text(offered[len(word) :].__eq__)
    await vscode.press("Escape")
    assert await vscode.save() == BEFORE + TYPED + word + "\n" + AFTER


async def test_typing_what_is_offered_keeps_the_rest(vscode: VSCode) -> None:
    offered = await typed_at_the_gap(vscode, "type_through.py")
    for count in range(1, 4):
        await vscode.type(offered[count - 1], delay_ms=0)
        rest = offered[count:]
        assert await vscode.wait_for_ghost_text(lambda shown, rest=rest: shown.startswith(rest))
    await vscode.press("Escape")
    assert await vscode.save() == BEFORE + TYPED + offered[:3] + "\n" + AFTER


async def test_escape_dismisses(vscode: VSCode) -> None:
    await typed_at_the_gap(vscode, "dismiss.py")
    await vscode.press("Escape")
    assert await vscode.wait_for_ghost_text(lambda shown: shown == "") == ""
    await vscode.press("Tab")  # a tab again, not what was dismissed
    assert await vscode.save() == BEFORE + TYPED + " " + "\n" + AFTER


async def line_is(vscode: VSCode, line: str) -> bool:
    return await vscode.cursor_line() == line


async def line_is_longer(vscode: VSCode, than: str) -> bool:
    return len(await vscode.cursor_line()) > len(than)
