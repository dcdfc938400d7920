"""Rewrites tried again, compared, of several files, of whole lines and of what was never saved."""

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


async def test_another_try_takes_the_place_of_the_one_before(vscode: VSCode) -> None:
    await select_old(vscode, "retried.py")
    await ask(vscode)
    first = await offered(vscode)
    (before,) = await vscode.texts_in(f"{BOX} .comment-body")
    await vscode.page.locator(f"{BOX} .comment-body a", has_text="Retry").click()

    async def is_another() -> bool:
        (now,) = await vscode.texts_in(f"{BOX} .comment-body")
        return now != before and "Accept" in now

    await vscode.wait_until(is_another, "another rewrite is offered")
    text = await offered(vscode)
    is_told_the_same = "same text" in await vscode.page.locator(BOX).inner_text()
    assert is_told_the_same == (text == first)
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
    await vscode.page.locator(f"{modified} .view-lines[data-mprt]").click()
    first_line = text.strip().split("\n")[0]
    await wait_for_text(vscode, first_line)
    await vscode.screenshot("rewrite-diff")
    await vscode.press("Control+Enter")
    await wait_until_gone(vscode)
    await vscode.wait_until(lambda: _has_one_tab(vscode), "the diff is closed")
    assert await vscode.save() == document(text)


async def test_two_files_each_have_their_own(vscode: VSCode) -> None:
    await vscode.open("two_of_two.py", document(OLD))
    await select_old(vscode, "one_of_two.py")
    await ask(vscode)
    text = await offered(vscode)
    await _go_to_tab(vscode, "two_of_two.py")
    await wait_until_gone(vscode)
    await select_lines(vscode, FIRST_LINE, OLD.count("\n"))
    await ask(vscode)
    await offered(vscode)
    await vscode.press("Escape")
    await wait_until_gone(vscode)
    await _go_to_tab(vscode, "one_of_two.py")
    assert await offered(vscode) == text
    await vscode.press("Control+Enter")
    await wait_until_gone(vscode)
    assert await vscode.save() == document(text)
    assert vscode.read("two_of_two.py") == document(OLD)


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


async def _go_to_tab(vscode: VSCode, name: str) -> None:
    await vscode.page.locator(f'.tab[data-resource-name="{name}"]').click()
    await vscode.page.wait_for_selector(f'.tab.active[data-resource-name="{name}"]')
    await vscode.page.wait_for_selector(".monaco-editor.focused")


async def _has_one_tab(vscode: VSCode) -> bool:
    return await vscode.page.locator(".tab").count() == 1
