"""Joins engine_connection.py to infill_client: finds or starts the engine, and waits for its model.

The one file here that knows infill_client. Knows nothing of LSP or of when an engine is needed.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from lsp_server.engine_connection import Connect, EngineLink, Report

if TYPE_CHECKING:
    from infill_client.client import EngineClient
    from infill_client.settings import EngineSettings
    from lsp_server.settings import ServerSettings

Result = TypeVar("Result")


def connect_with(settings: "ServerSettings") -> Connect:
    """Return what connects to the engine that the settings name, or else to the user's own."""
    num_attempts = 0

    async def connect(report: Report) -> EngineLink:
        nonlocal num_attempts
        num_attempts += 1
        loop = asyncio.get_running_loop()

        def on_progress(stage: str, fraction: float) -> None:
            words = f"The engine is starting: {stage}"
            words += f" ({fraction:.0%})." if fraction else "."
            percent = int(100 * fraction) if fraction else None
            _call_in(loop, lambda: report(words, percent))

        def ensure() -> "EngineClient":
            # Imported here, in this thread: the answer to `initialize` need not wait for it.
            from infill_client.client import EngineClient
            from infill_client.launcher import ensure_engine

            address = ensure_engine(
                _engine_settings(settings),
                on_progress=on_progress,
                # One that is there without a model is worth a new try, but not the first time:
                # whoever started it may be looking at why.
                restart_failed=num_attempts > 1,
            )
            return EngineClient(address)

        return await _in_daemon_thread(ensure)

    return connect


def _engine_settings(settings: "ServerSettings") -> "EngineSettings":
    from infill_client.settings import read_settings

    chosen = read_settings()
    if not settings.engine_url:
        return chosen
    return replace(chosen, url=settings.engine_url, token=settings.engine_token)


async def _in_daemon_thread(function: Callable[[], Result]) -> Result:
    """Run `function`, which blocks, in a thread that never keeps the process from ending.

    asyncio's own threads do: a model may load for a minute when the editor closes.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        try:
            result = function()
        except Exception as error:
            outcome = error
            _call_in(loop, lambda: future.done() or future.set_exception(outcome))
        else:
            _call_in(loop, lambda: future.done() or future.set_result(result))

    threading.Thread(target=run, name="find-engine", daemon=True).start()
    return await future


def _call_in(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    # The loop is closed when the server ended in the meantime: nobody is left to tell.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call)
