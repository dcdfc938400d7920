"""Suggestions end with the setting and come back with it; the status bar says so."""

import pytest

from .sample import BEFORE, TYPED, typed_at_the_gap
from .user_folders import SHOW_ALL
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(
    "off", [{"infill.enabled": False}, {"infill.disabledLanguages": ["python"]}]
)
async def test_off_by_a_setting_and_on_again(vscode: VSCode, off: dict[str, object]) -> None:
    await typed_at_the_gap(vscode, "off.py")
    vscode.server.folders.write_settings({**SHOW_ALL, **off})
    await vscode.press("Escape", "Backspace")
    await vscode.wait_for_status("eye-closed")
    await vscode.type(" ")
    await vscode.press("Tab")
    assert (await vscode.save()).startswith(BEFORE + TYPED + " ")
    vscode.server.folders.write_settings(SHOW_ALL)
    await vscode.wait_for_status("check")
    await typed_at_the_gap(vscode, "on.py")
