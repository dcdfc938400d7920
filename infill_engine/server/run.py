"""The life of the engine's process: take a port, tell where, serve, end.

Ends on SIGTERM or SIGINT, or when idle for long; the state file goes with it. Knows nothing of
what is served (see `app`).
"""

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import Coroutine, Sequence
from typing import NoReturn

import uvicorn

from infill_engine.api import ConfigError
from infill_engine.process_state import (
    find_process,
    hold_lock,
    own_state,
    read_state,
    remove_state,
    write_state,
)
from infill_engine.server.app import build_app
from infill_engine.server.engine_worker import DescribedEngine, EngineLoader, EngineWorker
from infill_engine.server.engine_worker import LoadProgress as LoadProgress
from infill_engine.server.listening import listen
from infill_engine.server.log_file import start_logging
from infill_engine.server.metrics import EngineMetrics
from infill_engine.server.options import ServerOptions
from infill_engine.wire import error_from_code

logger = logging.getLogger(__name__)

_WORKER_GRACE_S = 3.0
"""Longest wait for the worker on the way out: far above one denoising step."""
_LOOPBACK, _BACKLOG = "127.0.0.1", 64
_LOCK_TIMEOUT_S = 10.0
_LOAD_POLL_S = 0.1


def run_engine_server(
    options: ServerOptions,
    load_engine: EngineLoader | None = None,
    log_to_stderr: bool = False,
    ends_when_load_fails: bool = False,
) -> NoReturn:
    """Serve until told to stop or idle for long, then end the process with exit code 0.

    Call from the main thread of a process that has nothing else to do.

    Args:
        options: what to serve and how.
        load_engine: loads the engine in the worker's thread; None loads `options.model`.
        log_to_stderr: whether log records also go to stderr.
        ends_when_load_fails: whether to raise the reason instead of staying up to tell it.

    Raises:
        InfillError: the model could not be loaded (only with `ends_when_load_fails`).
        ConfigError: the port is taken, another engine of the user runs, or the state file cannot
            be written.
    """
    start_logging(log_to_stderr)
    token = secrets.token_urlsafe(32)
    listener = _announce(options, token)
    metrics = EngineMetrics()
    worker = EngineWorker(load_engine or loader_of(options), options.max_queued_requests, metrics)
    server = uvicorn.Server(
        uvicorn.Config(
            build_app(options, token, worker, metrics),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
            server_header=False,
        )
    )
    # uvicorn shuts down on these and then raises them again for the handlers it found: with the
    # default ones the process would die here, its state file left behind.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    try:
        worker.start()
        watchers = [_exit_when_idle(server, worker, options.idle_exit_minutes * 60)]
        if ends_when_load_fails:
            watchers.append(_exit_when_failed(server, worker))
        asyncio.run(_serve(server, listener, watchers))
    finally:
        remove_state(os.getpid())
        worker.close(_WORKER_GRACE_S)
        logger.info("engine ended")
        logging.shutdown()
    state = worker.load_state
    if ends_when_load_fails and state.status == "failed":
        raise error_from_code(state.code, state.why)
    # Nothing is left to save. Leaving through Python would take a second for torch's modules, and
    # under a thread that is still inside a kernel it can abort with a core dump.
    os._exit(0)


def _announce(options: ServerOptions, token: str) -> socket.socket:
    with hold_lock("state", _LOCK_TIMEOUT_S):
        state = read_state()
        if state is not None and find_process(state) is not None:
            raise ConfigError(
                f"An engine of yours is already running (pid {state.pid}, port {state.port}). "
                "Stop it with `infill-ls engine stop` first."
            )
        listener = listen(
            _LOOPBACK, options.port, _BACKLOG, "Give another with --port, or 0 for a free one."
        )
        port = listener.getsockname()[1]
        try:
            write_state(own_state(port, token, options.model))
        except ConfigError:
            listener.close()
            raise
    logger.info("engine listens on 127.0.0.1:%d for model %s", port, options.model)
    return listener


async def _serve(
    server: uvicorn.Server,
    listener: socket.socket,
    watchers: Sequence[Coroutine[None, None, None]],
) -> None:
    tasks = [asyncio.create_task(watcher) for watcher in watchers]
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in tasks:
            task.cancel()


async def _exit_when_idle(server: uvicorn.Server, worker: EngineWorker, max_idle_s: float) -> None:
    while max_idle_s > 0:
        await asyncio.sleep(min(max_idle_s / 4, 5.0))
        if worker.idle_s >= max_idle_s:
            logger.info("idle for %.0f s, ending", worker.idle_s)
            server.should_exit = True
            return


async def _exit_when_failed(server: uvicorn.Server, worker: EngineWorker) -> None:
    while worker.load_state.status == "loading":
        await asyncio.sleep(_LOAD_POLL_S)
    server.should_exit = worker.load_state.status == "failed"


def loader_of(options: ServerOptions) -> EngineLoader:
    """Return what loads the model that `options` names."""

    def load(progress: LoadProgress) -> DescribedEngine:
        # Imported here, in the worker's thread: torch takes a second, the port is open before.
        progress("importing torch", 0.0)
        from infill_engine.config import EngineConfig
        from infill_engine.engine import Engine

        config = EngineConfig(
            model=options.model,
            device=options.device,
            dtype=options.dtype,
            kv_cache=options.kv_cache,
            num_threads=options.num_threads,
            max_context_tokens=options.max_context_tokens,
            max_batch=options.max_batch,
            kv_slots=options.kv_slots,
        )
        return Engine.load(config, progress)

    return load
