"""Suggestions switched off and on: here, and for a language, as the menu does it."""

import json
from pathlib import Path

import pytest

from .sample import TYPED, at_the_gap, typed_at_the_gap
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

WATCHED_S = 2.0


def workspace_settings(vscode: VSCode) -> Path:
    return vscode.server.folders.workspace / ".vscode" / "settings.json"


async def test_the_menu_offers_all_there_is(vscode: VSCode) -> None:
    await at_the_gap(vscode, "menu.py")
    await vscode.page.locator('.statusbar-item[id*="infill"] a').first.click()
    rows = await vscode.wait_for_quick_pick(lambda rows: len(rows) >= 8)
    await vscode.screenshot("menu")
    for wanted in ("for python", "Rewrite", "denoising", "model", "doctor", "Restart", "log"):
        assert any(wanted in row for row in rows), f"{wanted} is missing: {rows}"
    await vscode.press("Escape")


async def test_switched_off_here_and_on_again(vscode: VSCode) -> None:
    await at_the_gap(vscode, "off_here.py")
    await vscode.run("infill.toggleHere")
    told = await vscode.wait_for_status("eye-closed")
    assert "switched off" in told.tooltip
    assert json.loads(workspace_settings(vscode).read_text())["infill.enabled"] is False
    await vscode.type(TYPED)
    assert await vscode.ghost_texts_within(WATCHED_S) == {""}
    await vscode.run("infill.toggleHere")
    await vscode.wait_for_status("check")
    await typed_at_the_gap(vscode, "on_here.py")
    assert await vscode.notifications() == []


async def test_switched_off_for_a_language_and_on_again(vscode: VSCode) -> None:
    await at_the_gap(vscode, "off_language.py")
    await vscode.run("infill.toggleLanguage")
    told = await vscode.wait_for_status("eye-closed")
    assert "python" in told.tooltip
    await vscode.type(TYPED)
    assert await vscode.ghost_texts_within(WATCHED_S) == {""}
    await vscode.run("infill.toggleLanguage")
    await vscode.wait_for_status("check")
    await typed_at_the_gap(vscode, "on_language.py")
