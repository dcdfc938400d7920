"""What VS Code's window shows: read, and waited for.

Knows nothing of our server; of our extension only that its name is in the status bar.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page

GIVE_UP_S = 40.0
"""Not what is asserted: what keeps a failing test from hanging."""
ARTIFACTS = Path(__file__).resolve().parents[3] / ".artifacts" / "editors"
"""Screenshots of the tests: looked at by people, kept by nobody."""
SCREEN_SCRIPT = Path(__file__).with_name("screen.js")
"""To be put into the page before VS Code loads."""
_POLL_S = 0.05


@dataclass(frozen=True)
class Status:
    """What the status bar shows of infill-ls.

    Attributes:
        text: without its icon.
        icon: its name, as in "check"; "" for none.
        tooltip: what a screen reader is told, which holds the message.
    """

    text: str
    icon: str
    tooltip: str


class Screen:
    """What is seen in one browser page.

    Attributes:
        page: for what this class has no word for.
    """

    def __init__(self, page: Page) -> None:
        self.page = page

    async def ghost_text(self) -> str:
        """Return the ghost text as shown, lines joined by a line feed; "" for none."""
        return await self.page.evaluate("infillScreen.ghostText()")

    async def text(self) -> str:
        """Return the document's visible lines."""
        return await self.page.evaluate("infillScreen.text()")

    async def cursor_line(self) -> str:
        """Return the line the cursor is in, without ghost text."""
        return await self.page.evaluate("infillScreen.cursorLine()")

    async def cursor_line_as_shown(self) -> str:
        """Return the line the cursor is in with its ghost text in place."""
        return await self.page.evaluate("infillScreen.cursorLineAsShown()")

    async def num_cursors(self) -> int:
        """Return how many cursors are shown."""
        return await self.page.evaluate("infillScreen.numCursors()")

    async def is_popup_open(self) -> bool:
        """Tell whether the completion menu is open and has its items."""
        return await self.has(".suggest-widget.visible .monaco-list-row.focused")

    async def status(self) -> Status:
        """Return what the status bar shows of infill-ls."""
        return Status(**await self.page.evaluate("infillScreen.status()"))

    async def watch_status(self) -> None:
        """Keep all that the status bar shows of infill-ls from now on."""
        await self.page.evaluate("infillScreen.watchStatus()")

    async def statuses(self) -> list[Status]:
        """Return all that has been kept, however short it was shown, the newest last."""
        return [Status(**each) for each in await self.page.evaluate("infillScreen.statuses()")]

    async def notifications(self) -> list[str]:
        """Return the messages of all notifications shown."""
        return await self._texts(".notifications-toasts .notification-list-item-message")

    async def has_dialog(self) -> bool:
        """Return whether a modal dialog stops everything else."""
        return await self.has(".monaco-dialog-box")

    async def quick_pick(self) -> list[str]:
        """Return the rows of the open picker."""
        return await self._texts(".quick-input-list .monaco-list-row")

    async def screenshot(self, name: str) -> Path:
        """Keep a picture among the artefacts; returns its path."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        await self.page.screenshot(path=path)
        return path

    async def wait_until(
        self, condition: Callable[[], Awaitable[bool]], what: str, limit_s: float = GIVE_UP_S
    ) -> None:
        """Return when `condition` holds.

        Raises:
            TimeoutError: it did not in `limit_s`; the message holds `what`.
        """
        end_s = time.monotonic() + limit_s
        while not await condition():
            if time.monotonic() > end_s:
                raise TimeoutError(f"Not within {limit_s:g} s: {what}.")
            await asyncio.sleep(_POLL_S)

    async def wait_for_ghost_text(self, is_wanted: Callable[[str], bool] = bool) -> str:
        """Return the ghost text as soon as it is as wanted: by default, as there is any.

        Raises:
            TimeoutError: it never was; the message has what is shown instead.
        """
        shown = ""

        async def is_seen() -> bool:
            nonlocal shown
            shown = await self.ghost_text()
            return is_wanted(shown)

        try:
            await self.wait_until(is_seen, "ghost text")
        except TimeoutError:
            at = await self.cursor_line()
            status = await self.status()
            raise TimeoutError(
                f"The ghost text behind {at!r} stays {shown!r}; status {status}."
            ) from None
        return shown

    async def ghost_texts_within(self, seconds: float) -> set[str]:
        """Return all that is shown as ghost text from now on, however short: for what must not."""
        shown: set[str] = set()
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            shown.add(await self.ghost_text())
            await asyncio.sleep(_POLL_S)
        return shown

    async def wait_for_status(self, icon: str, in_tooltip: str = "") -> Status:
        """Return the status as soon as it has this icon and this text in its tooltip."""
        shown: list[Status] = []

        async def is_seen() -> bool:
            shown.append(await self.status())
            return shown[-1].icon == icon and in_tooltip in shown[-1].tooltip

        try:
            await self.wait_until(is_seen, icon)
        except TimeoutError:
            seen = list(dict.fromkeys(shown))
            raise TimeoutError(f"The status is never {icon} {in_tooltip!r}: {seen}") from None
        return shown[-1]

    async def wait_for_status_since(self, num_before: int, *icons: str) -> Status:
        """Return the first status with one of `icons` among those shown after `num_before`."""
        found: list[Status] = []

        async def is_seen() -> bool:
            nonlocal found
            later = (await self.statuses())[num_before:]
            found = [status for status in later if status.icon in icons]
            return bool(found)

        await self.wait_until(is_seen, f"a status with {' or '.join(icons)}")
        return found[0]

    async def wait_for_quick_pick(
        self, is_wanted: Callable[[list[str]], bool], limit_s: float = GIVE_UP_S
    ) -> list[str]:
        """Return the picker's rows as soon as they are as wanted."""
        rows: list[str] = []

        async def is_seen() -> bool:
            nonlocal rows
            rows = await self.quick_pick()
            return bool(rows) and is_wanted(rows)

        try:
            await self.wait_until(is_seen, "picker", limit_s)
        except TimeoutError:
            raise TimeoutError(f"The picker has only {rows}.") from None
        return rows

    async def _texts(self, selector: str) -> list[str]:
        return await self.page.evaluate(f"infillScreen.texts({json.dumps(selector)})")

    async def has(self, selector: str) -> bool:
        """Return whether the page has such an element."""
        return await self.page.locator(selector).count() > 0
