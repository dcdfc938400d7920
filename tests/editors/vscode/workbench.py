"""VS Code's window as somebody uses it: files, keys and commands.

Knows nothing of our server; of our extension only that its name is in the status bar.
"""

import re
from pathlib import Path
from urllib.parse import quote

from playwright.async_api import Browser, Page, ViewportSize
from playwright.async_api import Error as BrowserError

from .screen import GIVE_UP_S, SCREEN_SCRIPT, Screen
from .server_process import CodeServer

CLOSE_ALL_KEY = "Control+Alt+Shift+KeyQ"
KEYBINDINGS = {"ctrl+alt+shift+q": "workbench.action.closeAllEditors"}
SIZE: ViewportSize = {"width": 1100, "height": 700}
_MAX_SIMILAR = 6
_FOCUSED = ".editor-group-container.active .monaco-editor.focused"


class VSCode(Screen):
    """One browser page with VS Code in it.

    Attributes:
        server: that serves it.
    """

    def __init__(self, page: Page, server: CodeServer) -> None:
        super().__init__(page)
        self.server = server
        self._open_name = ""

    @classmethod
    async def open_window(
        cls, browser: Browser, server: CodeServer, has_extension: bool = True
    ) -> "VSCode":
        """Open the workspace in a new window; returns when the status bar shows infill-ls.

        Args:
            browser: in which it opens.
            server: that serves it.
            has_extension: whether our extension is there; else any status bar will do.
        """
        context = await browser.new_context(viewport=SIZE, reduced_motion="reduce")
        await context.add_init_script(path=SCREEN_SCRIPT)
        page = await context.new_page()
        await page.goto(f"{server.url}/?folder={quote(str(server.folders.workspace))}")
        in_status_bar = '.statusbar-item[id*="infill"]' if has_extension else ".statusbar-item"
        await page.wait_for_selector(in_status_bar, timeout=1000 * GIVE_UP_S)
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

    async def open(self, name: str, text: str | None = None, wait_for_editor: bool = True) -> None:
        """Open a file of the workspace, after writing it where `text` is given.

        Args:
            name: path within the workspace.
            text: what is written first.
            wait_for_editor: whether a text editor opens, which then has the focus.
        """
        if text is not None:
            self.write(name, text)
        title = name.split("/")[-1]

        async def is_found() -> bool:
            # A file just written may be unknown to the search of a picker opened before.
            await self.press("Escape", "Control+p")
            await self.page.wait_for_selector(".quick-input-widget input")
            await self.page.keyboard.insert_text(name)
            try:
                # Not a file whose name only ends like this one's.
                named = re.compile(rf"(^|\W){re.escape(title)}")
                await self.wait_for_quick_pick(
                    lambda rows: named.search(rows[0]) is not None, limit_s=3.0
                )
            except TimeoutError:
                return False
            return True

        await self.wait_until(is_found, f"{name} is in the picker")
        await self.press("Enter")
        await self.wait_until(
            lambda: self.has(f'.tab.active[data-resource-name="{title}"]'), f"{title} is open"
        )
        if wait_for_editor:
            await self.page.wait_for_selector(_FOCUSED)
        self._open_name = name

    async def new_untitled(self, language: str) -> None:
        """Open an editor that belongs to no file, in a language by its name for people."""
        await self.run("workbench.action.files.newUntitledFile")
        await self.page.wait_for_selector('.tab.active[data-resource-name^="Untitled"]')
        await self.page.wait_for_selector(_FOCUSED)
        await self.run("workbench.action.editor.changeLanguageMode")
        await self.page.wait_for_selector(".quick-input-widget input")
        await self.page.keyboard.insert_text(language)
        await self.choose(language)
        await self.page.wait_for_selector(_FOCUSED)

    async def paste(self, text: str) -> None:
        """Put text in at the cursor in one edit, as it is."""
        await self.page.keyboard.insert_text(text)

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
            return not await self.has(".tab")

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

    async def choose(self, row: str) -> None:
        """Take the picker's row that holds this text."""
        await self.wait_for_quick_pick(lambda rows: any(row in each for each in rows))
        found = self.page.locator(".quick-input-list .monaco-list-row", has_text=row)
        await found.first.click()

    async def _is_clean(self) -> bool:
        return not await self.has(".editor-group-container.active .tab.active.dirty")

    async def _is_at(self, line: int) -> bool:
        try:
            place = await self.page.locator('[id="status.editor.selection"]').inner_text()
        except BrowserError:
            return False
        return f"Ln {line}," in place
