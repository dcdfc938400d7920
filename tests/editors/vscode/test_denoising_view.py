"""The denoising view in a real VS Code: what it records of a suggestion and of a rewrite."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import FrameLocator

from .rewrite_box import ask, offered, select_old
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

NO_DRAFT = '''def shout(words: list[str]) -> str:
    """Return the words in upper case, joined by blanks."""
    '''
"""A whole file without a line that could be the next one: the model has to denoise."""


@pytest_asyncio.fixture(loop_scope="session")
async def view(vscode: VSCode) -> AsyncIterator[FrameLocator]:
    """The page of the view, opened beside a file that has the focus."""
    await select_old(vscode, "denoised.py")
    await vscode.run("infill.showDenoising")
    page = vscode.page.frame_locator("iframe.webview").frame_locator("iframe")
    await page.locator("#empty").wait_for()
    await back_to_the_file(vscode)
    yield page


async def test_a_rewrite_is_shown_step_by_step(vscode: VSCode, view: FrameLocator) -> None:
    await ask(vscode)
    text = await offered(vscode)
    await view.locator("#ending", has_text="Offered").wait_for()
    last = await view.locator("#summary").inner_text()
    assert last.startswith("Step ")
    num_steps = int(last.split(" of ")[1].split(" ")[0])
    assert last.startswith(f"Step {num_steps} of")
    assert text.strip().split("\n")[0] in await view.locator("#canvas").inner_text()
    await view.locator("#step").focus()
    await vscode.press("Home")
    await view.locator("#summary", has_text=f"Step 1 of {num_steps}").wait_for()
    await vscode.press("ArrowRight")
    await view.locator("#summary", has_text=f"Step 2 of {num_steps}").wait_for()
    await vscode.screenshot("denoising-rewrite")


async def test_a_suggestions_tokens_have_the_colour_of_their_confidence(
    vscode: VSCode, view: FrameLocator
) -> None:
    await vscode.open("shout.py", NO_DRAFT)
    await vscode.press("Control+End")
    await vscode.type("return ")
    await view.locator("#canvas .token[class*=level]").first.wait_for()
    await view.locator("#ending", has_text="Offered").wait_for()
    assert await view.locator("#canvas .token.settled").count() > 0
    assert "mean confidence" in await view.locator("#summary").inner_text()
    title = await view.locator("#canvas .token[class*=level]").first.get_attribute("title")
    assert title is not None
    assert "% sure" in title
    await view.locator("#play").click()
    await view.locator("#summary", has_text="Step 1 of").wait_for()
    await vscode.screenshot("denoising-suggestion")


async def test_what_is_looked_at_stays_unless_new_requests_are_followed(
    vscode: VSCode, view: FrameLocator
) -> None:
    await ask(vscode)
    await offered(vscode)
    await view.locator("#ending", has_text="Offered").wait_for()
    before = await view.locator("#canvas").inner_text()
    await view.locator("#follow").uncheck()
    await back_to_the_file(vscode)
    await vscode.open("shout.py", NO_DRAFT)
    await vscode.press("Control+End")
    await vscode.type("return ")
    await vscode.wait_for_ghost_text()
    assert await view.locator("#canvas").inner_text() == before


async def test_copied_as_text_it_holds_every_step(vscode: VSCode, view: FrameLocator) -> None:
    await vscode.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ask(vscode)
    text = await offered(vscode)
    await view.locator("#ending", has_text="Offered").wait_for()
    num_steps = (await view.locator("#summary").inner_text()).split(" of ")[1].split(" ")[0]
    await view.locator("#copy").click()
    await view.locator("#copy", has_text="Copied").wait_for()
    await back_to_the_file(vscode)
    copied = await vscode.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"infill-ls denoising, rewrite, {num_steps} steps\n")
    assert f"Step {num_steps} of {num_steps}" in copied
    assert f"offered {json.dumps(text)}" in copied


async def back_to_the_file(vscode: VSCode) -> None:
    """Give the focus from the view back to the editor."""
    await vscode.press("Control+1")
    await vscode.page.wait_for_selector(".monaco-editor.focused")
