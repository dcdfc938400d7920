"""Rewrites that can't be, or that are called off by what the user does: one message each."""

import pytest

from .rewrite_box import (
    BOX,
    FIRST_LINE,
    OLD,
    ask,
    document,
    offered,
    select_old,
    wait_for_message,
    wait_until_gone,
)
from .workbench import CLOSE_ALL_KEY, VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

CLEAR = "notifications.clearAll"


async def test_an_edit_inside_drops_it_and_says_so(vscode: VSCode) -> None:
    await select_old(vscode, "edited_inside.py")
    await ask(vscode)
    await offered(vscode)
    await vscode.go_to(FIRST_LINE + 1, 1)
    await vscode.type("#")
    await wait_until_gone(vscode)
    await wait_for_message(vscode, "edited")
    assert await vscode.save() == document(OLD).replace("    print", "#    print")
    await vscode.run(CLEAR)


async def test_without_a_selection_there_is_a_word(vscode: VSCode) -> None:
    await vscode.open("nothing_selected.py", document(OLD))
    await vscode.run("infill.rewrite")
    await wait_for_message(vscode, "Nothing is selected")
    assert not await vscode.has(BOX)
    await vscode.run(CLEAR)


async def test_several_selections_are_too_many(vscode: VSCode) -> None:
    await select_old(vscode, "two_cursors.py")
    await vscode.press("Control+Alt+ArrowDown")
    await vscode.press("Control+Alt+i")
    await wait_for_message(vscode, "One selection")
    await vscode.press("Escape")
    await vscode.run(CLEAR)


async def test_whoever_thinks_better_of_it_sees_nothing(vscode: VSCode) -> None:
    await select_old(vscode, "not_asked.py")
    await vscode.press("Control+Alt+i")
    await vscode.page.wait_for_selector(".quick-input-widget input")
    await vscode.press("Escape")
    assert not await vscode.has(BOX)
    assert await vscode.notifications() == []


async def test_instructions_are_offered_again_the_newest_first(vscode: VSCode) -> None:
    for instruction in ("raise nothing", "use a constant"):
        await select_old(vscode, "history.py")
        await ask(vscode, instruction)
        await offered(vscode)
        await vscode.press("Escape")
        await wait_until_gone(vscode)
    await select_old(vscode, "history.py")
    await vscode.press("Control+Alt+i")
    rows = await vscode.wait_for_quick_pick(lambda rows: len(rows) > 2)
    assert "without an instruction" in rows[0]
    assert rows[1].startswith("use a constant")
    assert rows[2].startswith("raise nothing")
    await vscode.press("Escape")


async def test_the_code_action_asks_in_the_same_way(vscode: VSCode) -> None:
    await select_old(vscode, "code_action.py")
    await vscode.press("Control+.")
    action = vscode.page.locator(".action-widget", has_text="Rewrite the selection (infill-ls)")
    await action.wait_for()
    await vscode.page.locator(
        ".action-widget .monaco-list-row", has_text="Rewrite the selection (infill-ls)"
    ).click()
    await vscode.page.wait_for_selector(".quick-input-widget input")
    await vscode.press("Enter")
    await offered(vscode)
    await vscode.press("Escape")
    await wait_until_gone(vscode)


async def test_closing_the_editor_ends_it(vscode: VSCode) -> None:
    await select_old(vscode, "closed.py")
    await ask(vscode)
    await offered(vscode)
    await vscode.press(CLOSE_ALL_KEY)
    await wait_until_gone(vscode)
    await vscode.open("closed.py")
    assert not await vscode.has(BOX)
    assert await vscode.notifications() == []
