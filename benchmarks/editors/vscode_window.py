"""A real VS Code with the extension, for one measurement or film.

Knows nothing of what is done in it.
"""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.editors.code_server import ensure_code_server
from tests.editors.extension import build_vsix
from tests.editors.vscode.browser import ensure_chromium, running_browser
from tests.editors.vscode.server_process import running_code_server
from tests.editors.vscode.user_folders import UserFolders
from tests.editors.vscode.workbench import KEYBINDINGS, VSCode


@asynccontextmanager
async def vscode_window(settings: Mapping[str, Any]) -> AsyncIterator[VSCode]:
    """Open one window for a user with these settings; nothing is left of either.

    Raises:
        NotInstallable: VS Code, Chromium or npm's packages cannot be had here.
    """
    vsix, entry, chromium = build_vsix(), ensure_code_server(), ensure_chromium()
    with tempfile.TemporaryDirectory(prefix="infill-vscode-") as root:
        folders = UserFolders(Path(root))
        folders.write_settings(settings)
        folders.write_keybindings(KEYBINDINGS)
        with running_code_server(entry, vsix, folders) as server:
            async with running_browser(chromium) as browser:
                vscode = await VSCode.open_window(browser, server)
                yield vscode
                await vscode.close()
