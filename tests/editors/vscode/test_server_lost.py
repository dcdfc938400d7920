"""A server or an engine that is missing or dies: the status tells, one message at most, and all is
well again as soon as it can be."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .sample import TYPED, at_the_gap, typed_at_the_gap, with_line
from .user_folders import SHOW_ALL
from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

WATCHED_S = 2.0
ENGINE = "infill_engine.server"


@contextmanager
def server_command(vscode: VSCode, *command: str) -> Iterator[None]:
    """Let the machine's settings name another server."""
    vscode.server.folders.write_settings(SHOW_ALL, {"infill.server.command": list(command)})
    try:
        yield
    finally:
        vscode.server.folders.write_settings(SHOW_ALL)


async def test_a_killed_engine_is_told_and_comes_back(vscode: VSCode) -> None:
    await typed_at_the_gap(vscode, "before_the_kill.py")
    engines = vscode.server.processes(ENGINE)
    num_before = len(await vscode.statuses())
    for engine in engines:
        engine.kill()
    await at_the_gap(vscode, "after_the_kill.py")
    await vscode.type(TYPED)
    told = await vscode.wait_for_status_since(num_before, "warning", "loading")
    assert "engine" in told.tooltip
    await vscode.wait_for_status("check")
    (another,) = vscode.server.processes(ENGINE)
    assert another.pid not in [engine.pid for engine in engines]
    offered = await typed_at_the_gap(vscode, "with_another_engine.py")
    await vscode.press("Tab")
    assert await vscode.save() == with_line(TYPED + offered)
    assert await vscode.notifications() == []


async def test_a_killed_server_is_started_again(vscode: VSCode) -> None:
    await at_the_gap(vscode, "server_killed.py")
    num_before = len(await vscode.statuses())
    for server in vscode.server.processes("bin/infill-ls"):
        server.kill()
    await vscode.wait_for_status_since(num_before, "loading")
    await vscode.wait_for_status("check")
    await vscode.type(TYPED)
    offered = await vscode.wait_for_ghost_text()
    await vscode.press("Tab")
    assert await vscode.save() == with_line(TYPED + offered)
    assert await vscode.notifications() == []


async def test_a_missing_server_is_told_once(vscode: VSCode) -> None:
    await at_the_gap(vscode, "missing.py")
    with server_command(vscode, "/nowhere/infill-ls"):
        told = await vscode.wait_for_status("warning")
        assert "/nowhere/infill-ls" in told.tooltip
        await vscode.type(TYPED)
        assert await vscode.ghost_texts_within(WATCHED_S) == {""}
        (message,) = await vscode.notifications()
        assert "infill.server.command" in message
        assert not await vscode.has_dialog()
        await vscode.screenshot("server-missing")
    await vscode.wait_for_status("check")


async def test_a_server_that_keeps_crashing_is_told_once_and_given_time(
    vscode: VSCode, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    starts.touch()
    script = f"echo started >> {starts}; echo no such model >&2; exit 3"
    with server_command(vscode, "/bin/sh", "-c", script):
        told = await vscode.wait_for_status("warning", "no such model")
        assert "log" in told.tooltip
        num_starts = len(starts.read_text().splitlines())
        await vscode.ghost_texts_within(WATCHED_S)
        assert len(starts.read_text().splitlines()) <= num_starts + 1
        (message,) = await vscode.notifications()
        assert "no such model" in message
        assert not await vscode.has_dialog()
        await vscode.screenshot("crash-loop")
    await vscode.wait_for_status("check")


async def test_a_program_that_is_no_server_is_told(vscode: VSCode) -> None:
    with server_command(vscode, "/bin/echo", "hello"):
        await vscode.wait_for_status("warning")
        assert len(await vscode.notifications()) == 1
        assert not await vscode.has_dialog()
    await vscode.wait_for_status("check")
