"""A closed window leaves nothing running but what the other windows and the engine need."""

import pytest
from playwright.async_api import Browser

from .server_process import CodeServer
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

LANGUAGE_SERVER = "bin/infill-ls"
ENGINE = "infill_engine.server"


def pids(server: CodeServer, name: str) -> set[int]:
    return {process.pid for process in server.processes(name)}


async def test_a_closed_window_takes_its_server_along(
    vscode: VSCode, browser: Browser, code_server: CodeServer
) -> None:
    before = pids(code_server, LANGUAGE_SERVER)
    other = await VSCode.open_window(browser, code_server)
    await other.wait_for_status("check")
    others = pids(code_server, LANGUAGE_SERVER) - before
    assert len(others) == 1
    assert len(pids(code_server, ENGINE)) == 1  # shared by all windows
    await other.close()

    async def is_gone() -> bool:
        return not others & pids(code_server, LANGUAGE_SERVER)

    await vscode.wait_until(is_gone, "the other window's server has ended")
    assert len(pids(code_server, ENGINE)) == 1
    await vscode.wait_for_status("check")
