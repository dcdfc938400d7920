"""A user without the server: it is offered, installed by a click, used, removed, and cleaned up."""

import os
import sys
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser

from ...installed import installed_or_skip
from ..code_server import ensure_code_server
from .installable import write_source, write_wheel_of_installed_packages
from .sample import TYPED, typed_at_the_gap, with_line
from .server_process import (
    install_extension,
    serving_code_server,
    uninstall_extension,
)
from .user_folders import SHOW_ALL, UserFolders
from .workbench import KEYBINDINGS, VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

IDENTIFIER = "infill-ls.infill-ls"
INSTALL_S = 240.0
"""Not what is asserted: pip builds a wheel first."""


@dataclass(frozen=True)
class FoldersWithoutServer(UserFolders):
    """A user who has no infill-ls on the PATH, nor one named in the settings."""

    def environment(self) -> dict[str, str]:
        environment = super().environment()
        scripts = sysconfig.get_path("scripts")
        paths = environment["PATH"].split(os.pathsep)
        environment["PATH"] = os.pathsep.join(
            path for path in paths if path != scripts and not (Path(path) / "infill-ls").exists()
        )
        environment.pop("PYTHONPATH", None)
        return environment

    def write_server_settings(self, package: str, *pip_arguments: str) -> None:
        """Say what is installed, and from where; the window's title tells when it is known."""
        self.write_settings(
            SHOW_ALL,
            {
                "window.title": package,
                "infill.server.command": [],
                "infill.server.python": sys.executable,
                "infill.server.package": package,
                "infill.server.pipArguments": list(pip_arguments),
            },
        )

    @property
    def private_environment(self) -> Path:
        """Where the extension installs the server."""
        return self.data / "User" / "globalStorage" / IDENTIFIER / "server"


@pytest.fixture(scope="module")
def folders(vsix: Path, tmp_path_factory: pytest.TempPathFactory) -> FoldersWithoutServer:
    folders = FoldersWithoutServer(tmp_path_factory.mktemp("user-without-server"))
    folders.write_keybindings(KEYBINDINGS)
    install_extension(installed_or_skip(ensure_code_server), vsix, folders)
    return folders


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pip is to install: this checkout."""
    return str(write_source(tmp_path_factory.mktemp("source")))


@pytest.fixture(scope="module")
def pip_arguments(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Have pip fetch nothing that is here already."""
    wheel = write_wheel_of_installed_packages(tmp_path_factory.mktemp("wheel"))
    return ("--no-deps", str(wheel))


@asynccontextmanager
async def opened(
    browser: Browser, folders: FoldersWithoutServer, has_extension: bool = True
) -> AsyncIterator[VSCode]:
    with serving_code_server(ensure_code_server(), folders) as server:
        window = await VSCode.open_window(browser, server, has_extension)
        yield window
        await window.close()


async def click(vscode: VSCode, button: str) -> None:
    await vscode.page.locator(".notifications-toasts .monaco-button", has_text=button).first.click()


async def wait_for_notification(vscode: VSCode, part: str) -> None:
    async def is_shown() -> bool:
        return any(part in message for message in await vscode.notifications())

    await vscode.wait_until(is_shown, f"a message with {part!r}", INSTALL_S)


async def wait_for_title(vscode: VSCode, title: str) -> None:
    async def is_titled() -> bool:
        return title in await vscode.page.title()

    await vscode.wait_until(is_titled, f"the settings that title the window {title} are read")


async def wait_for_server(vscode: VSCode) -> None:
    async def is_ready() -> bool:
        return (await vscode.status()).icon == "check"

    await vscode.wait_until(is_ready, "the installed server is ready", INSTALL_S)


async def test_it_is_offered_installed_by_a_click_used_and_removed(
    browser: Browser, folders: FoldersWithoutServer, source: str, pip_arguments: tuple[str, str]
) -> None:
    folders.write_server_settings("infill-ls", "--no-index")
    async with opened(browser, folders) as vscode:
        # Without a network: told in a sentence, and nothing is left.
        await wait_for_notification(vscode, "is not installed")
        assert (await vscode.status()).icon == "cloud-download"
        await vscode.screenshot("install-offered")
        await click(vscode, "Install")
        await wait_for_notification(vscode, "pip found no package infill-ls")
        await vscode.screenshot("install-failed")
        assert not folders.private_environment.exists()
        assert not await vscode.has_dialog()

        # With one: what pip has installed is what ghost text comes from.
        folders.write_server_settings(source, *pip_arguments)
        await wait_for_title(vscode, source)
        await click(vscode, "Retry")
        await vscode.wait_until(
            lambda: vscode.has(".notifications-toasts .monaco-progress-container.active"),
            "progress is shown",
        )
        await vscode.screenshot("installing")
        await wait_for_server(vscode)
        (server,) = vscode.server.processes("-m infill_cli")
        assert str(folders.private_environment) in " ".join(server.cmdline())
        offered = await typed_at_the_gap(vscode, "by_the_installed_server.py")
        await vscode.press("Tab")
        assert await vscode.save() == with_line(TYPED + offered)

        await vscode.run("infill.removeServer")
        await wait_for_notification(vscode, "is removed")
        assert any("HF_HOME" in message for message in await vscode.notifications())
        assert not folders.private_environment.exists()
        assert vscode.server.processes("-m infill_cli") == []
        assert vscode.server.processes("infill_engine") == []
        await vscode.wait_for_status("cloud-download")


async def test_uninstalling_takes_the_server_along(
    browser: Browser, folders: FoldersWithoutServer, source: str, pip_arguments: tuple[str, str]
) -> None:
    folders.write_server_settings(source, *pip_arguments)
    async with opened(browser, folders) as vscode:
        await vscode.run("infill.installServer")
        await wait_for_server(vscode)
    assert folders.private_environment.is_dir()
    uninstall_extension(ensure_code_server(), IDENTIFIER, folders)

    # VS Code runs the extension's last program when it next opens a window.
    async with opened(browser, folders, has_extension=False) as vscode:

        async def is_gone() -> bool:
            return not folders.private_environment.exists()

        await vscode.wait_until(is_gone, "the installed server is gone", INSTALL_S)
    # Settings, counters and logs; VS Code keeps its own log of us among its logs.
    assert [name for name in ("state", "run", "config") if (folders.root / name).exists()] == []
    named = [path for path in folders.root.rglob("*infill*") if "logs" not in path.parts]
    assert named == []
