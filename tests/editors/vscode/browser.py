"""The browser in which VS Code runs: the system's Chromium without a screen.

Knows nothing of VS Code.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from ...system_packages import ensure_program

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def ensure_chromium() -> Path:
    """Return Chromium's program.

    Raises:
        NotInstallable: it cannot be had here.
    """
    return ensure_program("chromium", "chromium")


@asynccontextmanager
async def running_browser(program: Path) -> AsyncIterator[Browser]:
    """Run a headless browser with a profile of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield browser
        finally:
            await browser.close()
