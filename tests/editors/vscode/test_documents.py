"""Documents that are no plain file of ordinary size: suggestions, or silence with a reason."""

import json

import pytest

from .sample import BEFORE, TYPED, typed_at_the_gap
from .user_folders import SHOW_ALL
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_a_file_never_saved_gets_suggestions(vscode: VSCode) -> None:
    vscode.server.folders.write_settings({**SHOW_ALL, "files.defaultLanguage": "python"})
    await vscode.run("workbench.action.files.newUntitledFile")
    await vscode.page.wait_for_selector(".tab.active >> text=Untitled-1")
    await vscode.page.keyboard.insert_text(BEFORE)
    await vscode.type(TYPED)
    assert await vscode.wait_for_ghost_text()
    assert await vscode.notifications() == []


async def test_a_huge_file_is_left_alone_and_the_status_says_why(vscode: VSCode) -> None:
    await vscode.open("huge.py", "x = 1  # and so on\n" * 120_000)
    await vscode.type("y = ")
    status = await vscode.wait_for_status("eye-closed", "2,000,000")
    assert "infill" in status.text
    assert await vscode.ghost_text() == ""
    assert await vscode.notifications() == []


async def test_a_diff_editor_is_typed_in_as_ever(vscode: VSCode) -> None:
    await typed_at_the_gap(vscode, "diff.py")
    await vscode.press("Escape")
    await vscode.run("workbench.files.action.compareWithSaved")
    await vscode.page.wait_for_selector(".monaco-diff-editor .modified .monaco-editor.focused")
    await vscode.type("None")
    saved = await vscode.save()
    assert saved.startswith(BEFORE)
    assert "None" in saved
    assert await vscode.notifications() == []


async def test_a_notebooks_cell_is_typed_in_as_ever(vscode: VSCode) -> None:
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "a",
        "metadata": {},
        "outputs": [],
        "source": ["import json\n"],
    }
    kernel = {"language_info": {"name": "python"}}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    await vscode.open("cells.ipynb", json.dumps(notebook))
    await vscode.page.locator(".notebookOverlay .cell-editor-container .view-lines").click()
    await vscode.press("Control+End")
    await vscode.type("value = 1")
    await vscode.press("Escape")
    saved = json.loads(await vscode.save())
    assert "".join(saved["cells"][0]["source"]) == "import json\nvalue = 1"
    assert await vscode.notifications() == []
