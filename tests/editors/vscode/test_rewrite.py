"""A selection rewritten in a real VS Code: seen converging in place, taken, thrown away, retried.

Which text the embedded model writes is its own matter: what is offered must be what is put in.
"""

import pytest

from .sample import BEFORE
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

BOX = ".review-widget"
SELECTED = "    zzz\n"
SOURCE = BEFORE + SELECTED + "\n\ndef main() -> None:\n    pass\n"
FIRST_LINE = BEFORE.count("\n") + 1


async def begin(vscode: VSCode, name: str, instruction: str = "", source: str = SOURCE) -> None:
    """Select the line and ask for its rewrite; returns when the box is there."""
    await vscode.open(name, source)
    await press_rewrite_key(vscode)
    await vscode.wait_for_quick_pick(lambda rows: "without an instruction" in rows[0])
    await vscode.page.keyboard.insert_text(instruction)
    await vscode.wait_for_quick_pick(lambda rows: (instruction or "without") in rows[0])
    await vscode.press("Enter")
    await vscode.page.wait_for_selector(BOX)


async def press_rewrite_key(vscode: VSCode) -> None:
    """On the selected line."""
    await vscode.go_to(FIRST_LINE, 1)
    await vscode.press("Shift+End", "Control+Alt+i")


async def offered(vscode: VSCode) -> list[str]:
    """Wait until the text can be taken; returns the lines that the box says would be added."""
    lines: list[str] = []

    async def is_offered() -> bool:
        nonlocal lines
        (text,) = await vscode.texts_in(f"{BOX} .comment-body")
        lines = [line for line in text.splitlines() if line.startswith(("+", "-"))]
        return "Accept" in text and bool(lines)

    await vscode.wait_until(is_offered, "a rewrite is offered")
    return [line[2:].rstrip() for line in lines if line.startswith("+")]


async def test_accepting_puts_in_what_was_shown_as_one_step_of_undo(vscode: VSCode) -> None:
    await begin(vscode, "rewrite_accept.py", "return the state")
    added = await offered(vscode)
    await vscode.screenshot("rewrite")
    assert vscode.read("rewrite_accept.py") == SOURCE
    await vscode.press("Control+Enter")
    await vscode.page.wait_for_selector(BOX, state="detached")
    saved = await vscode.save()
    assert saved.startswith(BEFORE)
    assert saved.endswith("\n\n\ndef main() -> None:\n    pass\n")
    middle = saved.removeprefix(BEFORE).removesuffix("\n\n\ndef main() -> None:\n    pass\n")
    assert "zzz" not in middle
    assert [line.rstrip() for line in middle.splitlines()] == added
    await vscode.press("Control+z")
    assert await vscode.save() == SOURCE


async def test_discarding_leaves_the_file_as_it_was(vscode: VSCode) -> None:
    await begin(vscode, "rewrite_discard.py")
    await offered(vscode)
    await vscode.press("Escape")
    await vscode.page.wait_for_selector(BOX, state="detached")
    assert await vscode.save() == SOURCE
    assert await vscode.notifications() == []


async def test_discarding_while_it_runs_stops_it(vscode: VSCode) -> None:
    await begin(vscode, "rewrite_stop.py")
    await vscode.press("Escape")
    await vscode.page.wait_for_selector(BOX, state="detached")
    assert await vscode.save() == SOURCE
    assert await vscode.notifications() == []


async def test_what_was_asked_before_is_offered_again(vscode: VSCode) -> None:
    await begin(vscode, "rewrite_first.py", "use a loop")
    await vscode.press("Escape")
    await vscode.page.wait_for_selector(BOX, state="detached")
    await press_rewrite_key(vscode)
    rows = await vscode.wait_for_quick_pick(lambda rows: len(rows) > 1)
    assert "use a loop" in rows[1]
    await vscode.press("Escape")


async def test_editing_elsewhere_moves_it_along_and_windows_line_endings_stay(
    vscode: VSCode,
) -> None:
    await begin(vscode, "rewrite_moved.py", source=SOURCE.replace("\n", "\r\n"))
    added = await offered(vscode)
    await vscode.go_to(1, 1)
    await vscode.type("import os\n")
    await vscode.run("infill.rewrite.accept")
    await vscode.page.wait_for_selector(BOX, state="detached")
    saved = await vscode.save()
    assert "\n" not in saved.replace("\r\n", "")
    lines = saved.splitlines()
    assert lines[0] == "import os"
    rewritten = lines[FIRST_LINE : FIRST_LINE + len(added)]
    assert [line.rstrip() for line in rewritten] == added


async def test_editing_the_selection_ends_it_with_a_word(vscode: VSCode) -> None:
    await begin(vscode, "rewrite_edited.py")
    await offered(vscode)
    await vscode.go_to(FIRST_LINE, 6)
    await vscode.type("q")
    await vscode.page.wait_for_selector(BOX, state="detached")
    (message,) = await vscode.notifications()
    assert "dropped" in message
    assert await vscode.save() == SOURCE.replace("    zzz", "    zqzz")


async def test_nothing_selected_is_told(vscode: VSCode) -> None:
    await vscode.open("rewrite_nothing.py", SOURCE)
    await vscode.go_to(FIRST_LINE + 1, 1)
    await vscode.run("infill.rewrite")
    await vscode.wait_until(lambda: has_notification(vscode), "a message")
    assert not await vscode.has_dialog()


async def has_notification(vscode: VSCode) -> bool:
    return len(await vscode.notifications()) == 1
