"""The engine dies under the editor: it comes back by itself, and so do suggestions."""

import pytest

from .sample import typed_at_the_gap
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]
ENGINE = "infill_engine"


async def test_a_killed_engine_comes_back(vscode: VSCode) -> None:
    await typed_at_the_gap(vscode, "before_the_kill.py")
    killed = vscode.server.processes(ENGINE)
    assert killed
    for process in killed:
        process.kill()
    await typed_at_the_gap(vscode, "after_the_kill.py")
    await vscode.wait_for_status("check")
    running = vscode.server.processes(ENGINE)
    assert running
    assert not {process.pid for process in running} & {process.pid for process in killed}
    assert await vscode.notifications() == []
