"""Documents that are no plain file of ordinary size: suggestions, or silence; never a message."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .sample import BEFORE, TYPED, at_the_gap
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

WATCHED_S = 2.0
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "one",
            "metadata": {},
            "outputs": [],
            "source": ["import json\n"],
        }
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def no_message(vscode: VSCode) -> AsyncIterator[None]:
    """Whatever the document is."""
    yield
    assert await vscode.notifications() == []
    assert not await vscode.has_dialog()


async def test_a_file_that_was_never_saved_is_served_too(vscode: VSCode) -> None:
    await vscode.new_untitled("Python")
    await vscode.paste(BEFORE)
    await vscode.type(TYPED)
    await vscode.wait_for_ghost_text()


async def test_a_huge_file_is_left_alone_and_the_status_says_why(vscode: VSCode) -> None:
    await vscode.open("huge.py", "x = 1  # and so on\n" * 120_000)
    await vscode.type("y = ")
    told = await vscode.wait_for_status("eye-closed", "2,000,000")
    assert "infill" in told.text
    assert await vscode.ghost_text() == ""


async def test_the_old_side_of_a_comparison_is_left_alone(vscode: VSCode) -> None:
    await at_the_gap(vscode, "compared.py")
    await vscode.type("    text")
    await vscode.press("Escape")
    await vscode.run("workbench.files.action.compareWithSaved")
    old = vscode.page.locator(".monaco-diff-editor .editor.original .view-line")
    await old.first.click()
    await vscode.press("End")
    await vscode.type("x = ")
    assert await vscode.ghost_texts_within(WATCHED_S) == {""}
    await vscode.screenshot("comparison")


async def test_a_notebooks_cell_is_typed_in_as_ever(vscode: VSCode) -> None:
    await vscode.open("cells.ipynb", json.dumps(NOTEBOOK), wait_for_editor=False)
    await vscode.page.locator(".cell-editor-container .view-lines").first.click()
    await vscode.press("Control+End")
    await vscode.type("value = 1")
    await vscode.screenshot("notebook")
    await vscode.press("Escape")
    saved = json.loads(await vscode.save())
    assert "".join(saved["cells"][0]["source"]) == "import json\nvalue = 1"
