"""The server ends with its editor, even while something holds its stdin open."""

import asyncio
import json
import subprocess
import sys

import pytest

from lsp_server.parent_watch import call_when_gone

from .editor import GIVE_UP_S


async def test_ends_once_and_only_when_the_process_is_gone() -> None:
    lives = [True, True, False]
    ended: list[int] = []
    await call_when_gone(7, lambda: ended.append(len(lives)), lambda _pid: lives.pop(0), 0.0)
    assert ended == [0]


@pytest.mark.e2e
def test_a_server_whose_editor_was_killed() -> None:
    editor = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    server = subprocess.Popen(
        [sys.executable, "-m", "lsp_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert server.stdin is not None and server.stdout is not None
        initialize = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "processId": editor.pid,
                "rootUri": None,
                "capabilities": {},
                "initializationOptions": {"enabled": False},
            },
        }
        body = json.dumps(initialize).encode()
        server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        server.stdin.flush()
        assert server.stdout.readline().startswith(b"Content-Length")
        assert server.poll() is None
        editor.kill()
        editor.wait()
        assert server.wait(GIVE_UP_S) == 1
    finally:
        for process in (editor, server):
            process.kill()
            process.communicate()


async def test_a_cancelled_watch_ends_nothing() -> None:
    ended: list[bool] = []
    watch = asyncio.ensure_future(
        call_when_gone(7, lambda: ended.append(True), lambda _pid: True, 0.0)
    )
    await asyncio.sleep(0.01)
    watch.cancel()
    await asyncio.wait({watch})
    assert not ended
