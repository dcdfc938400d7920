"""What is typed while the server is away gets its suggestion once the server is back."""

import pytest

from .sample import TYPED, at_the_gap
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_a_suggestion_comes_without_another_key(vscode: VSCode) -> None:
    await at_the_gap(vscode, "typed_meanwhile.py")
    servers = vscode.server.processes("bin/infill-ls")
    assert servers
    for server in servers:
        server.kill()
    await vscode.type(TYPED, delay_ms=0)
    assert await vscode.wait_for_ghost_text()
    assert await vscode.notifications() == []
