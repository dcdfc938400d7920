"""A selection rewritten by the embedded model in a real VS Code: shown, taken, left, called off."""

import pytest

from .rewrite_box import (
    BOX,
    FIRST_LINE,
    OLD,
    ask,
    document,
    offered,
    select_lines,
    select_old,
    wait_for_text,
    wait_until_gone,
)
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_accepted_it_is_in_the_file_and_one_undo_takes_it_back(vscode: VSCode) -> None:
    await select_old(vscode, "accepted.py")
    await ask(vscode, "say what is read")
    text = await offered(vscode)
    assert text.strip()
    assert "follows no instructions" in await vscode.page.locator(BOX).inner_text()
    await vscode.screenshot("rewrite-offered")
    await vscode.press("Control+Enter")
    await wait_until_gone(vscode)
    assert await vscode.save() == document(text)
    await vscode.press("Control+z")
    await wait_for_text(vscode, OLD)
    assert await vscode.save() == document(OLD)


async def test_discarded_it_leaves_the_file_as_it_was(vscode: VSCode) -> None:
    await select_old(vscode, "discarded.py")
    await ask(vscode)
    await offered(vscode)
    await vscode.press("Escape")
    await wait_until_gone(vscode)
    assert not await vscode.has(".tab.active.dirty")
    await vscode.press("Escape", "Control+End")
    await vscode.type("#")
    assert await vscode.save() == document(OLD) + "#"


async def test_stopped_while_it_runs_nothing_comes(vscode: VSCode) -> None:
    await select_old(vscode, "stopped.py")
    await ask(vscode)
    await vscode.page.wait_for_selector(BOX)
    await vscode.press("Escape")
    await wait_until_gone(vscode)
    # The next one is served: the engine is not kept busy, and nothing of the old one comes.
    await ask(vscode)
    await offered(vscode)
    assert await vscode.page.locator(BOX).count() == 1


async def test_line_endings_stay_those_of_the_file(vscode: VSCode) -> None:
    await select_old(vscode, "crlf.py", end_of_line="\r\n")
    await ask(vscode)
    text = await offered(vscode)
    await vscode.press("Control+Enter")
    await wait_until_gone(vscode)
    assert await vscode.save() == document(text).replace("\n", "\r\n")


async def test_edits_elsewhere_move_it_along(vscode: VSCode) -> None:
    await select_old(vscode, "moved.py")
    await ask(vscode)
    text = await offered(vscode)
    await vscode.go_to(1, 1)
    await vscode.type("# one\n# two\n")
    await vscode.go_to(FIRST_LINE + 1, 1)
    await vscode.press("Control+Enter")
    await wait_until_gone(vscode)
    assert await vscode.save() == "# one\n# two\n" + document(text)


async def test_another_try_takes_the_place_of_the_one_before(vscode: VSCode) -> None:
    await select_old(vscode, "retried.py")
    await ask(vscode)
    await offered(vscode)
    await vscode.page.locator(f"{BOX} .comment-body a", has_text="Retry").click()
    await vscode.page.wait_for_selector(f"{BOX} .codicon-loading")
    text = await offered(vscode)
    await vscode.page.locator(f"{BOX} .comment-body a", has_text="Accept").click()
    await wait_until_gone(vscode)
    assert await vscode.save() == document(text)


async def test_the_diff_shows_the_whole_file_and_can_be_accepted(vscode: VSCode) -> None:
    await select_old(vscode, "compared_rewrite.py")
    await ask(vscode)
    text = await offered(vscode)
    await vscode.page.locator(f"{BOX} .comment-body a", has_text="Show diff").click()
    modified = ".monaco-diff-editor .editor.modified"
    await vscode.page.wait_for_selector(f"{modified} .view-line")
    await vscode.page.locator(f"{modified} .view-lines").click()
    first_line = text.strip().split("\n")[0]
    await wait_for_text(vscode, first_line)
    await vscode.screenshot("rewrite-diff")
    await vscode.press("Control+Enter")
    await wait_until_gone(vscode)
    await vscode.wait_until(lambda: _has_one_tab(vscode), "the diff is closed")
    assert await vscode.save() == document(text)


async def test_two_files_each_have_their_own(vscode: VSCode) -> None:
    await select_old(vscode, "first.py")
    await ask(vscode)
    text = await offered(vscode)
    await select_old(vscode, "second.py")
    await ask(vscode)
    await offered(vscode)
    await vscode.press("Escape")
    await wait_until_gone(vscode)
    await vscode.open("first.py")
    assert await offered(vscode) == text
    await vscode.press("Control+Enter")
    await wait_until_gone(vscode)
    assert await vscode.save() == document(text)
    assert vscode.read("second.py") == document(OLD)


async def test_whole_lines_keep_the_last_ones_end(vscode: VSCode) -> None:
    await select_old(vscode, "whole_lines.py")
    await select_lines(vscode, FIRST_LINE, OLD.count("\n"))
    await vscode.press("Shift+ArrowRight")  # the line's end too
    await ask(vscode)
    text = await offered(vscode)
    await vscode.press("Control+Enter")
    await wait_until_gone(vscode)
    assert await vscode.save() == document(text)


async def test_a_file_that_was_never_saved(vscode: VSCode) -> None:
    await vscode.new_untitled("Python")
    await vscode.paste(document(OLD))
    await select_lines(vscode, FIRST_LINE, OLD.count("\n"))
    await ask(vscode)
    text = await offered(vscode)
    await vscode.press("Control+Enter")
    await wait_until_gone(vscode)
    await wait_for_text(vscode, text)


async def _has_one_tab(vscode: VSCode) -> bool:
    return await vscode.page.locator(".tab").count() == 1
