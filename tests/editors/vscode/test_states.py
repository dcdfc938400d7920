"""What goes wrong or is switched off, as a user of a real VS Code learns of it: once, or not at all."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .sample import AFTER, BEFORE, TYPED, at_the_gap, typed_at_the_gap, with_line
from .user_folders import SERVER_COMMAND, SHOW_ALL
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
            "source": ["import json\n", "text = "],
        }
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@contextmanager
def server_command(vscode: VSCode, *command: str) -> Iterator[None]:
    """Let the machine's settings name another server."""
    vscode.server.folders.write_settings(SHOW_ALL, {"infill.server.command": list(command)})
    try:
        yield
    finally:
        vscode.server.folders.write_settings(SHOW_ALL)


async def test_switched_off_nothing_is_shown_and_switched_on_again_it_is(vscode: VSCode) -> None:
    await at_the_gap(vscode, "off.py")
    vscode.server.folders.write_settings({**SHOW_ALL, "infill.enabled": False})
    await vscode.wait_until(lambda: is_silent(vscode), "switched off")
    vscode.server.folders.write_settings(SHOW_ALL)

    async def is_answered() -> bool:
        await vscode.press("Escape", "Control+z")
        await vscode.type(TYPED)
        return await has_ghost_text(vscode)

    await vscode.wait_until(is_answered, "switched on")
    assert await vscode.notifications() == []


async def is_silent(vscode: VSCode) -> bool:
    """Type, see whether nothing comes, and take it back."""
    await vscode.type(TYPED)
    shown = await vscode.ghost_texts_within(WATCHED_S)
    await vscode.press("Escape", "Control+z")
    return shown == {""}


async def has_ghost_text(vscode: VSCode) -> bool:
    return await vscode.ghost_texts_within(WATCHED_S) != {""}


async def test_a_killed_engine_is_told_and_comes_back(vscode: VSCode) -> None:
    await typed_at_the_gap(vscode, "killed.py")
    (engine,) = vscode.server.processes("infill_engine.server")
    engine.kill()
    told = await vscode.wait_for_status_other_than("check")
    await vscode.screenshot("engine-killed")
    assert told.tooltip
    await vscode.wait_for_status("check")
    (another,) = vscode.server.processes("infill_engine.server")
    assert another.pid != engine.pid
    offered = await typed_at_the_gap(vscode, "killed_again.py")
    await vscode.press("Tab")
    assert await vscode.save() == with_line(TYPED + offered)
    assert await vscode.notifications() == []


async def test_a_missing_server_is_told_once_and_found_when_it_is_there(vscode: VSCode) -> None:
    await at_the_gap(vscode, "missing.py")
    with server_command(vscode, "/nowhere/infill-ls"):
        told = await vscode.wait_for_status_other_than("check")
        await vscode.type(TYPED)
        assert await vscode.ghost_texts_within(WATCHED_S) == {""}
        assert len(await vscode.notifications()) <= 1
        assert not await vscode.has_dialog()
        await vscode.screenshot("server-missing")
        assert "infill-ls" in told.tooltip
    await vscode.wait_for_status("check")


async def test_a_server_that_crashes_again_and_again_is_let_be(
    vscode: VSCode, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    script = f"echo started >> {starts}; exit 3"
    with server_command(vscode, "/bin/sh", "-c", script):
        await vscode.wait_for_status_other_than("check")

        async def has_crashed_often() -> bool:
            return starts.is_file() and len(starts.read_text().splitlines()) >= 3

        await vscode.wait_until(has_crashed_often, "three starts")
        assert await vscode.ghost_texts_within(2 * WATCHED_S) == {""}
        assert len(starts.read_text().splitlines()) <= 6
        assert len(await vscode.notifications()) == 1
        assert not await vscode.has_dialog()
        await vscode.screenshot("crash-loop")
    await vscode.wait_for_status("check")


async def test_a_server_that_is_another_program_is_told(vscode: VSCode) -> None:
    with server_command(vscode, "/bin/echo", "hello"):
        await vscode.wait_for_status_other_than("check")
        assert not await vscode.has_dialog()
    assert SERVER_COMMAND[0].endswith("infill-ls")
    await vscode.wait_for_status("check")


async def test_a_file_that_was_never_saved_is_served_too(vscode: VSCode) -> None:
    await vscode.new_untitled("Python")
    await vscode.paste(BEFORE)
    await vscode.type(TYPED)
    await vscode.wait_for_ghost_text()
    assert await vscode.notifications() == []


async def test_a_huge_file_is_left_alone_and_the_status_says_why(vscode: VSCode) -> None:
    body = BEFORE + "\n" + AFTER
    await vscode.open("huge.py", body * (2_200_000 // len(body)))
    await vscode.go_to(BEFORE.count("\n") + 1, 1)
    await vscode.type(TYPED)
    assert await vscode.ghost_texts_within(WATCHED_S) == {""}
    assert await vscode.notifications() == []


async def test_the_old_side_of_a_comparison_is_left_alone(vscode: VSCode) -> None:
    await at_the_gap(vscode, "compared.py")
    await vscode.type("    text")
    await vscode.press("Escape")
    await vscode.run("workbench.files.action.compareWithSaved")
    await vscode.page.wait_for_selector(".monaco-diff-editor .editor.original .view-line")
    await vscode.page.locator(".monaco-diff-editor .editor.original .view-line").first.click()
    await vscode.press("End")
    await vscode.type("x = ")
    assert await vscode.ghost_texts_within(WATCHED_S) == {""}
    await vscode.screenshot("comparison")
    assert not await vscode.has_dialog()
    assert await vscode.notifications() == []


async def test_a_notebook_does_not_upset_anything(vscode: VSCode) -> None:
    await vscode.open("cells.ipynb", json.dumps(NOTEBOOK), wait_for_editor=False)
    cell = vscode.page.locator(".notebook-editor .cell .view-lines").first
    await cell.click()
    await vscode.press("Control+End")
    await vscode.type("json.dumps(")
    await vscode.ghost_texts_within(WATCHED_S)
    await vscode.screenshot("notebook")
    assert not await vscode.has_dialog()
    assert await vscode.notifications() == []
    assert (await vscode.status()).icon == "check"
