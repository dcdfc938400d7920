"""The denoising view in a real VS Code: the canvas of what was just suggested, step by step."""

import pytest
from playwright.async_api import Frame

from .workbench import VSCode

SOURCE = "def area(width: int, height: int) -> int:\n"
"""With nothing yet that a line could be taken from: this one has to be denoised."""

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def view(vscode: VSCode) -> Frame:
    """Return the frame with the page, once it is there."""
    found: list[Frame] = []

    async def is_there() -> bool:
        nonlocal found
        found = [f for f in vscode.page.frames if await f.locator("#canvas").count()]
        return bool(found)

    await vscode.wait_until(is_there, "the view")
    return found[0]


async def test_what_was_suggested_can_be_seen_step_by_step(vscode: VSCode) -> None:
    await vscode.open("denoised.py", "")
    await vscode.run("infill.showDenoising")
    page = await view(vscode)
    assert await page.locator("#recording").is_hidden()
    await vscode.press("Control+1")
    await vscode.open("denoised_too.py", SOURCE)
    await vscode.go_to(2, 1)
    await vscode.type("    return ")
    offered = await vscode.wait_for_ghost_text()
    await page.locator("#recording").wait_for(state="visible")

    async def is_complete() -> bool:
        return offered.split()[0] in await page.locator("#canvas").inner_text()

    await vscode.wait_until(is_complete, "the canvas has what is offered")
    await vscode.screenshot("denoising-view")
    last_step = int(await page.locator("#step").get_attribute("max") or "0")
    await page.locator("#step").focus()
    await vscode.press("Home")
    assert await page.locator("#step").input_value() == "0"
    await vscode.press("End")
    assert await page.locator("#step").input_value() == str(last_step)
    assert await page.locator("#canvas .token").count() > 0
    assert await vscode.notifications() == []
