"""Accepting where the text around is special leaves exactly the right text."""

import ast
import json

import pytest

from .sample import (
    AFTER,
    BEFORE,
    GAP_LINE,
    TYPED,
    at_the_gap,
    typed_at_the_gap,
    wait_for_line,
    wait_for_more_than,
    with_line,
)
from .server_process import CodeServer
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

SNIPPETS = {"try": {"prefix": "zzz", "body": ["with open(${1:name}) as ${2:file}:", "    $0"]}}


@pytest.fixture(scope="module", autouse=True)
def snippets(code_server: CodeServer) -> None:
    """Of the user's own, for Python, before the window opens."""
    path = code_server.folders.data / "User" / "snippets" / "python.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(SNIPPETS), encoding="utf-8")


async def test_line_endings_of_windows_stay(vscode: VSCode) -> None:
    offered = await typed_at_the_gap(vscode, "crlf.py", "\r\n")
    await vscode.press("Tab")
    assert await vscode.save() == with_line(TYPED + offered).replace("\n", "\r\n")


async def test_tabs_stay_tabs(vscode: VSCode) -> None:
    before, after = (part.replace("    ", "\t") for part in (BEFORE, AFTER))
    await vscode.open("tabs.py", before + "\n" + after)
    await vscode.go_to(GAP_LINE, 1)
    await vscode.press("Tab")
    await vscode.type("text = ")
    offered = await vscode.wait_for_ghost_text()
    await vscode.press("Tab")
    assert await vscode.save() == before + "\ttext = " + offered + "\n" + after


async def test_brackets_that_the_editor_closed_are_not_doubled(vscode: VSCode) -> None:
    await at_the_gap(vscode, "brackets.py")
    await vscode.type("    return json.loads(")
    await wait_for_line(vscode, "    return json.loads()")
    await vscode.wait_for_ghost_text()
    await vscode.press("Tab")
    saved = await vscode.save()
    ast.parse(saved)
    line = saved.splitlines()[GAP_LINE - 1]
    assert line.startswith("    return json.loads(")
    assert len(line) > len("    return json.loads()")
    assert line.count("(") == line.count(")")
    assert saved == with_line(line)


async def test_the_open_completion_list_gets_the_tab(vscode: VSCode) -> None:
    """And when it is closed, the next suggestion can be taken as ever."""
    await at_the_gap(vscode, "popup.py")
    await vscode.type("    te")
    await vscode.press("Control+Space")
    await vscode.page.wait_for_selector(".suggest-widget.visible .monaco-list-row.focused")
    await vscode.screenshot("completion-list")
    await vscode.press("Tab")
    await vscode.page.wait_for_selector(".suggest-widget.visible", state="hidden")
    await wait_for_line(vscode, "    text")
    await vscode.press("Escape")
    await vscode.type(" = ")
    offered = await vscode.wait_for_ghost_text()
    await vscode.press("Tab")
    assert await vscode.save() == with_line(TYPED + offered)


async def test_a_running_snippet_keeps_its_tab_stops(vscode: VSCode) -> None:
    await at_the_gap(vscode, "snippet.py")
    await vscode.type("    zzz")
    await vscode.press("Control+Space")
    await vscode.page.wait_for_selector(".suggest-widget.visible .monaco-list-row.focused")
    await vscode.press("Enter")
    await wait_for_line(vscode, "    with open(name) as file:")
    await vscode.type("path")
    await vscode.press("Tab")
    await vscode.type("stream")
    await vscode.press("Tab")
    await wait_for_line(vscode, "        ")
    await vscode.type("text = ")
    offered = await vscode.wait_for_ghost_text()
    await vscode.press("Tab")
    wanted = f"    with open(path) as stream:\n        text = {offered}"
    assert await vscode.save() == with_line(wanted)


async def test_several_cursors_are_left_alone(vscode: VSCode) -> None:
    await vscode.open("cursors.py", BEFORE + "\n\n" + AFTER)
    await vscode.go_to(GAP_LINE, 1)
    await vscode.press("Shift+Alt+ArrowDown")
    await vscode.page.wait_for_function(
        "document.querySelectorAll('.cursors-layer .cursor').length === 2"
    )
    await vscode.type(TYPED)
    assert await vscode.ghost_texts_within(2.0) == {""}
    await vscode.press("Escape")
    assert await vscode.save() == BEFORE + TYPED + "\n" + TYPED + "\n" + AFTER


async def test_folded_code_stays_folded_and_whole(vscode: VSCode) -> None:
    await at_the_gap(vscode, "folded.py")
    await vscode.go_to(5, 1)
    await vscode.press("Control+Shift+BracketLeft")

    async def is_folded() -> bool:
        return "return json.loads" not in await vscode.text()

    await vscode.wait_until(is_folded, "the function is folded")
    await vscode.go_to(GAP_LINE, 1)
    await vscode.type(TYPED)
    offered = await vscode.wait_for_ghost_text()
    await vscode.press("Tab")
    await wait_for_more_than(vscode, TYPED)
    assert await is_folded()
    assert await vscode.save() == with_line(TYPED + offered)
