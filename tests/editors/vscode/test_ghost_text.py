"""Ghost text from the embedded model in a real VS Code: seen, taken, typed through, dismissed."""

import json

import pytest

from .sample import (
    TYPED,
    at_the_gap,
    typed_at_the_gap,
    wait_for_line,
    wait_for_more_than,
    with_line,
)
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_tab_accepts_all_and_the_file_has_it(vscode: VSCode) -> None:
    offered = await typed_at_the_gap(vscode, "accept_all.py")
    await vscode.screenshot("ghost-text")
    await vscode.press("Tab")
    await wait_for_line(vscode, TYPED + offered)
    assert await vscode.save() == with_line(TYPED + offered)
    state = json.loads((vscode.server.folders.root / "run" / "engine.json").read_text())
    assert state["model"] == "embedded"


async def test_one_undo_takes_back_what_was_accepted_and_nothing_else(vscode: VSCode) -> None:
    await typed_at_the_gap(vscode, "undo.py")
    await vscode.press("Tab")
    await wait_for_more_than(vscode, TYPED)
    await vscode.press("Control+z")
    await wait_for_line(vscode, TYPED)
    assert await vscode.save() == with_line(TYPED)


async def test_a_word_is_accepted_and_the_rest_stays(vscode: VSCode) -> None:
    offered = await typed_at_the_gap(vscode, "accept_word.py")
    await vscode.press("Control+ArrowRight")
    line = await wait_for_more_than(vscode, TYPED)
    rest = (TYPED + offered).removeprefix(line)
    assert 0 < len(rest) < len(offered)
    await vscode.wait_for_ghost_text(rest.__eq__)
    await vscode.press("Escape")
    assert await vscode.save() == with_line(line)


async def test_typing_what_is_offered_keeps_the_rest(vscode: VSCode) -> None:
    offered = await typed_at_the_gap(vscode, "type_through.py")
    for count in range(1, 4):
        await vscode.type(offered[count - 1], delay_ms=0)
        rest = offered[count:]
        await vscode.wait_for_ghost_text(lambda shown, rest=rest: shown.startswith(rest))
    await vscode.press("Escape")
    assert await vscode.save() == with_line(TYPED + offered[:3])


async def test_typing_fast_and_accepting_at_once_leaves_each_character_once(
    vscode: VSCode,
) -> None:
    offered = await typed_at_the_gap(vscode, "fast.py")
    await vscode.type(offered[:4], delay_ms=0)
    await vscode.press("Tab")
    assert await vscode.save() == with_line(TYPED + offered)


async def test_typing_something_else_hides_what_was_offered(vscode: VSCode) -> None:
    offered = await typed_at_the_gap(vscode, "disagree.py")
    other = "zq"
    assert not offered.startswith(other[0])
    await vscode.type(other, delay_ms=0)
    await vscode.wait_for_ghost_text(lambda shown: shown not in (offered, offered[1:]))
    await vscode.press("Escape")
    assert await vscode.save() == with_line(TYPED + other)


async def test_escape_dismisses(vscode: VSCode) -> None:
    await typed_at_the_gap(vscode, "dismiss.py")
    await vscode.press("Escape")
    await vscode.wait_for_ghost_text("".__eq__)
    await vscode.press("Tab")  # indents, as nothing is offered
    assert await vscode.save() == with_line(TYPED + " ")


async def test_asking_by_hand_shows_what_there_is(vscode: VSCode) -> None:
    await at_the_gap(vscode, "by_hand.py")
    await vscode.type(TYPED, delay_ms=0)
    await vscode.press("Escape", "Alt+Backslash")
    offered = await vscode.wait_for_ghost_text()
    await vscode.press("Tab")
    assert await vscode.save() == with_line(TYPED + offered)
