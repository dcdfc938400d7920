"""One code-server and one browser for all tests; a window of its own for each module."""

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from ...installed import installed_or_skip
from ..code_server import ensure_code_server
from ..extension import build_vsix
from .browser import ensure_chromium, running_browser
from .server_process import CodeServer, running_code_server
from .user_folders import SHOW_ALL, UserFolders
from .workbench import KEYBINDINGS, VSCode

CALL_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if call.when == "call":
        item.stash[CALL_FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def vsix() -> Path:
    return installed_or_skip(build_vsix)


@pytest.fixture(scope="session")
def ended_in_good_order() -> Iterator[None]:
    """A run that is told to end ends what it has started, too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def code_server(
    vsix: Path, tmp_path_factory: pytest.TempPathFactory, ended_in_good_order: None
) -> Iterator[CodeServer]:
    """VS Code with the extension, for a user who is shown everything the model says."""
    entry = installed_or_skip(ensure_code_server)
    folders = UserFolders(tmp_path_factory.mktemp("vscode-user"))
    folders.write_settings(SHOW_ALL)
    folders.write_keybindings(KEYBINDINGS)
    with running_code_server(entry, vsix, folders) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with running_browser(installed_or_skip(ensure_chromium)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def window(browser: Browser, code_server: CodeServer) -> AsyncIterator[VSCode]:
    opened = await VSCode.open_window(browser, code_server)
    await opened.watch_status()
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def vscode(window: VSCode, request: pytest.FixtureRequest) -> AsyncIterator[VSCode]:
    """The module's window with nothing open and the engine ready; pictured when the test fails."""
    await window.dismiss_notifications()
    await window.wait_for_status("check")
    yield window
    if request.node.stash.get(CALL_FAILED, True):
        await window.screenshot(f"failed-{request.node.name}")
    window.server.folders.write_settings(SHOW_ALL)
    await window.close_all()
