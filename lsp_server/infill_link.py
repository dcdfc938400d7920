"""Joins engine_connection.py to infill_client: finds or starts the engine, and waits for its model.

The one file here that knows infill_client. Knows nothing of LSP or of when an engine is needed.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from infill_engine.api import ConfigError
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
        # In a thread: reading a file and asking a keyring block.
        chosen = await _in_daemon_thread(lambda: _engine_settings(settings))
        if chosen.kind == "openai":
            return await _connect_to_server(chosen, report)

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
                chosen,
                on_progress=on_progress,
                # One that is there without a model is worth a new try, but not the first time:
                # whoever started it may be looking at why.
                restart_failed=num_attempts > 1,
            )
            return EngineClient(address)

        return await _in_daemon_thread(ensure)

    return connect


async def _connect_to_server(settings: "EngineSettings", report: Report) -> EngineLink:
    """Connect to a server that speaks OpenAI's API, once it has said what it can do."""

    if not settings.url:
        raise ConfigError(
            'engine.kind is "openai", but engine.url names no server; give its address, such as '
            "http://127.0.0.1:8000."
        )
    report(f"Asking the server at {settings.url} what it can do.", None)

    def prepare() -> Callable[[], Awaitable[EngineLink]]:
        # Imported here, in this thread, as above; and a keyring may ask the user for its password.
        from infill_client.credentials import address_of
        from infill_client.openai.client import OpenAiClient
        from infill_client.openai.probe import probe

        address = address_of(settings)

        async def look() -> EngineLink:
            return OpenAiClient(await probe(address, settings.server_model))

        return look

    look = await _in_daemon_thread(prepare)
    return await look()


def _engine_settings(settings: "ServerSettings") -> "EngineSettings":
    from infill_client.settings import read_settings

    chosen = read_settings()
    if not settings.engine_url and settings.engine_kind == "infill":
        return chosen
    return replace(
        chosen,
        kind=settings.engine_kind,
        url=settings.engine_url,
        server_model=settings.engine_model,
        token=settings.engine_token,
        token_env=settings.engine_token_env,
        ca_file=settings.engine_ca_file,
    )


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
