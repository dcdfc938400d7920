"""VS Code's window as somebody uses it: keys in, what is seen out.

Knows nothing of our server; of our extension only that its name is in the status bar.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from playwright.async_api import Browser, Page
from playwright.async_api import Error as BrowserError

from .server_process import CodeServer

GIVE_UP_S = 40.0
"""Not what is asserted: what keeps a failing test from hanging."""
ARTIFACTS = Path(__file__).resolve().parents[3] / ".artifacts" / "editors"
"""Screenshots of the tests: looked at by people, kept by nobody."""
CLOSE_ALL_KEY = "Control+Alt+Shift+KeyQ"
KEYBINDINGS = {"ctrl+alt+shift+q": "workbench.action.closeAllEditors"}
SIZE = {"width": 1100, "height": 700}
_SCREEN = Path(__file__).with_name("screen.js")
_POLL_S = 0.05
_MAX_SIMILAR = 6
_STATUS_ITEM = '.statusbar-item[id*="infill"]'


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


class VSCode:
    """One browser page with VS Code in it.

    Attributes:
        page: for what this class has no word for.
        server: that serves it.
    """

    def __init__(self, page: Page, server: CodeServer) -> None:
        self.page = page
        self.server = server
        self._open_name = ""

    @classmethod
    async def open_window(cls, browser: Browser, server: CodeServer) -> "VSCode":
        """Open the workspace in a new window; returns when the status bar shows infill-ls."""
        context = await browser.new_context(viewport=SIZE, reduced_motion="reduce")  # type: ignore[arg-type]
        await context.add_init_script(path=_SCREEN)
        page = await context.new_page()
        await page.goto(f"{server.url}/?folder={quote(str(server.folders.workspace))}")
        await page.wait_for_selector(_STATUS_ITEM, timeout=1000 * GIVE_UP_S)
        return cls(page, server)

    async def close(self) -> None:
        """Close the window."""
        await self.page.context.close()

    # Files

    def write(self, name: str, text: str) -> Path:
        """Put a file into the workspace, its line endings as given."""
        path = self.server.folders.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    def read(self, name: str) -> str:
        """Return a file as it is on disk."""
        return (self.server.folders.workspace / name).read_bytes().decode()

    async def open(self, name: str, text: str | None = None) -> None:
        """Open a file of the workspace, after writing it where `text` is given."""
        if text is not None:
            self.write(name, text)
        title = name.split("/")[-1]

        async def is_found() -> bool:
            # A file just written may be unknown to the search of a picker opened before.
            await self.press("Escape", "Control+p")
            await self.page.wait_for_selector(".quick-input-widget input")
            await self.page.keyboard.insert_text(name)
            try:
                await self.wait_for_quick_pick(lambda rows: title in rows[0], limit_s=3.0)
            except TimeoutError:
                return False
            return True

        await self.wait_until(is_found, f"{name} is in the picker")
        await self.press("Enter")
        await self.wait_until(
            lambda: self._has(f'.tab.active[data-resource-name="{title}"]'), f"{title} is open"
        )
        await self.page.wait_for_selector(".editor-group-container.active .monaco-editor.focused")
        self._open_name = name

    async def save(self) -> str:
        """Save the file last opened; returns it as it is on disk then."""
        path = self.server.folders.workspace / self._open_name
        before_ns = path.stat().st_mtime_ns
        await self.press("Control+s")

        # The tab shows late that the file has changed; but a save asked for always writes.
        async def is_saved() -> bool:
            return path.stat().st_mtime_ns != before_ns and await self._is_clean()

        await self.wait_until(is_saved, f"{self._open_name} is saved")
        return self.read(self._open_name)

    async def close_all(self) -> None:
        """Close every editor, throwing away what isn't saved, and whatever lies over them."""
        for _ in range(2):
            await self.press("Escape")
        await self.press(CLOSE_ALL_KEY)

        async def is_closed() -> bool:
            discard = self.page.get_by_role("button", name="Don't Save")
            if await discard.count():
                await discard.first.click()
            return not await self._has(".tab")

        await self.wait_until(is_closed, "all editors are closed")

    # Keys

    async def press(self, *keys: str) -> None:
        """Press keys one after another, as in "Control+s"."""
        for key in keys:
            await self.page.keyboard.press(key)

    async def type(self, text: str, delay_ms: float = 60.0) -> None:
        """Type with an interval between keys; 0 is as fast as it goes."""
        await self.page.keyboard.type(text, delay=delay_ms)

    async def go_to(self, line: int, column: int) -> None:
        """Put the cursor there, both counted from 1; tabs are one column."""
        await self.press("Control+g")
        await self.page.keyboard.type(f"{line}:{column}")
        await self.press("Enter")
        await self.wait_until(lambda: self._is_at(line), f"the cursor is on line {line}")

    async def run(self, command: str) -> None:
        """Run a command by its identifier, through the palette."""
        await self.press("F1")
        await self.page.wait_for_selector(".quick-input-widget input")
        await self.page.keyboard.insert_text(command)
        # All commands are listed until the text is taken up; then a few similar ones stay below.
        await self.wait_for_quick_pick(
            lambda rows: len(rows) <= _MAX_SIMILAR and "No matching" not in rows[0]
        )
        await self.press("Enter")

    # What is seen

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
        return await self._has(".suggest-widget.visible .monaco-list-row.focused")

    async def status(self) -> Status:
        """Return what the status bar shows of infill-ls."""
        item = self.page.locator(_STATUS_ITEM).first
        label = item.locator("a, .statusbar-item-label").first
        classes = await item.locator('[class*="codicon-"]').first.get_attribute("class") or ""
        icons = [name for name in classes.split() if name.startswith("codicon-")]
        return Status(
            text=(await label.inner_text()).strip(),
            icon=icons[0].removeprefix("codicon-") if icons else "",
            tooltip=await label.get_attribute("aria-label") or "",
        )

    async def notifications(self) -> list[str]:
        """Return the messages of all notifications shown."""
        return await self._texts(".notifications-toasts .notification-list-item-message")

    async def quick_pick(self) -> list[str]:
        """Return the rows of the open picker."""
        return await self._texts(".quick-input-list .monaco-list-row")

    async def choose(self, row: str) -> None:
        """Take the picker's row that holds this text."""
        await self.wait_for_quick_pick(lambda rows: any(row in each for each in rows))
        found = self.page.locator(".quick-input-list .monaco-list-row", has_text=row)
        await found.first.click()

    async def screenshot(self, name: str) -> Path:
        """Keep a picture among the artefacts; returns its path."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        await self.page.screenshot(path=path)
        return path

    # Waiting

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

    async def _has(self, selector: str) -> bool:
        return await self.page.locator(selector).count() > 0

    async def _is_clean(self) -> bool:
        return not await self._has(".editor-group-container.active .tab.active.dirty")

    async def _is_at(self, line: int) -> bool:
        try:
            place = await self.page.locator('[id="status.editor.selection"]').inner_text()
        except BrowserError:
            return False
        return f"Ln {line}," in place
