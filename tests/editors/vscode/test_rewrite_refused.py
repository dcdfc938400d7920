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


async def test_several_selections_are_too_many(vscode: VSCode) -> None:
    await vscode.open("two_cursors.py", document(OLD))
    await vscode.go_to(FIRST_LINE, 5)
    await vscode.press("Control+Shift+l")  # wherever the word stands
    await vscode.wait_until(lambda: _has_several_cursors(vscode), "there are several cursors")
    await vscode.press("Control+Alt+i")
    await wait_for_message(vscode, "One selection")
    await vscode.press("Escape")


async def test_whoever_thinks_better_of_it_sees_nothing(vscode: VSCode) -> None:
    await select_old(vscode, "not_asked.py")
    await vscode.press("Control+Alt+i")
    await vscode.page.wait_for_selector(".quick-input-widget input")
    await vscode.press("Escape")
    assert not await vscode.has(BOX)
    assert await vscode.notifications() == []


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


async def _has_several_cursors(vscode: VSCode) -> bool:
    return await vscode.num_cursors() > 1
