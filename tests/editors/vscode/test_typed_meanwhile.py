"""What is typed while the server is away gets its suggestion once the server is back."""

import pytest

from .sample import typed_at_the_gap
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_a_suggestion_comes_without_another_key(vscode: VSCode) -> None:
    await typed_at_the_gap(vscode, "before_the_kill.py")
    await vscode.press("Escape")
    servers = vscode.server.processes("bin/infill-ls")
    assert servers
    for server in servers:
        server.kill()
    await vscode.wait_for_status("loading")
    assert await typed_at_the_gap(vscode, "typed_meanwhile.py")
    assert await vscode.notifications() == []
