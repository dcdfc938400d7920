"""Finds the user's engine, or starts it: one process shared by all editors and commands.

The state file says where an engine should be, its health answer proves it. Starting happens
under a lock, so that two who start at the same time end up with one engine. Knows nothing of
requests (see `client`).
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from infill_client.address import EngineAddress
from infill_client.blocking import fetch_health
from infill_client.credentials import address_of
from infill_client.settings import EngineSettings
from infill_client.spawn import last_words, spawn_engine, wait_for_port
from infill_engine.api import ConfigError, EngineUnavailable
from infill_engine.process_state import (
    EngineState,
    find_process,
    hold_lock,
    read_state,
    remove_state,
)
from infill_engine.version import VERSION

if TYPE_CHECKING:
    import psutil

    from infill_engine.wire import EngineHealth

Progress = Callable[[str, float], None]
"""Told what the engine is busy with, and the share done from 0 to 1."""

_START_LOCK_TIMEOUT_S = 60.0
_ENDING_GRACE_S = 5.0
"""How long a living process may refuse to answer before it counts as hung: it may be ending."""
_POLL_S = 0.05
_STOP_TIMEOUT_S = 10.0


def ensure_engine(
    settings: EngineSettings,
    wait_until_loaded: bool = True,
    on_progress: Progress | None = None,
    restart_failed: bool = False,
) -> EngineAddress:
    """Return the address of an engine that answers, starting one if needed. Blocks.

    An engine that already runs is used as it is, whatever model it was started with; one of an
    older version of this package is replaced.

    Args:
        settings: which engine, and how to start one.
        wait_until_loaded: return only when the model can fill gaps, not as soon as it answers.
        on_progress: told about the loading.
        restart_failed: replace an engine that could not load its model.

    Raises:
        ConfigError: a setting is wrong, or the engine at `settings.url` is of another version.
        EngineUnavailable: no engine could be started or reached.
        InfillError: the model could not be loaded (only with `wait_until_loaded`).
    """
    if settings.url:
        address = address_of(settings)
        _require_same_version(settings.url, fetch_health(address).version)
    else:
        address = _find_usable(restart_failed)
        if address is None:
            if on_progress is not None:
                on_progress("starting the engine", 0.0)
            with hold_lock("start", _START_LOCK_TIMEOUT_S):
                address = _find_usable(restart_failed) or _start(settings)
    if wait_until_loaded:
        wait_until_ready(address, on_progress)
    return address


def find_engine() -> "tuple[EngineState, EngineHealth] | None":
    """Return the running engine of this user, or None; cleans up after one that was killed.

    Raises:
        EngineUnavailable: its process lives but does not answer.
    """
    give_up_s = time.monotonic() + _ENDING_GRACE_S
    while (state := read_state()) is not None:
        try:
            return state, fetch_health(EngineAddress(state.url, state.token))
        except (EngineUnavailable, ConfigError):  # a wrong token: another's port by now
            if find_process(state) is None:
                remove_state(state.pid)
                return None
        if time.monotonic() > give_up_s:
            raise EngineUnavailable(
                f"The engine (pid {state.pid}) lives but does not answer. "
                "End it with `infill-ls engine stop`."
            )
        time.sleep(_POLL_S)
    return None


def wait_until_ready(address: EngineAddress, on_progress: Progress | None = None) -> None:
    """Block until the engine's model is loaded.

    Raises:
        EngineUnavailable: the engine ended, or could not be reached.
        InfillError: its model could not be loaded; of the class the engine reported.
    """
    from infill_engine.wire import error_from_code

    health = fetch_health(address)
    while health.status == "loading":
        if on_progress is not None:
            on_progress(health.stage, health.fraction)
        time.sleep(_POLL_S)
        health = _health_while_loading(address)
    if health.status == "failed":
        raise error_from_code(health.code, health.why)


def stop_engine() -> EngineState | None:
    """End the user's engine and wait until it is gone; None when none was running.

    Raises:
        EngineUnavailable: it could not be ended.
    """
    with hold_lock("start", _START_LOCK_TIMEOUT_S):
        state = read_state()
        process = find_process(state) if state is not None else None
        if state is None or process is None:
            remove_state()
            return None
        _end(process)
        return state


def stop_failed_engine() -> None:
    """End the user's engine if it could not load its model: it is of no use to anybody.

    Raises:
        EngineUnavailable: it does not answer, or could not be ended.
    """
    found = find_engine()
    if found is not None and found[1].status == "failed":
        stop_engine()


def _find_usable(restart_failed: bool) -> EngineAddress | None:
    found = find_engine()
    if found is None:
        return None
    state, health = found
    if _version_key(state.version) < _version_key(VERSION):
        return None
    if restart_failed and health.status == "failed":
        return None
    return EngineAddress(state.url, state.token)


def _start(settings: EngineSettings) -> EngineAddress:
    state = read_state()
    process = find_process(state) if state is not None else None
    if process is not None:  # of an older version, or without a model
        _end(process)
    state = wait_for_port(spawn_engine(settings))
    return EngineAddress(state.url, state.token)


def _end(process: "psutil.Process") -> None:
    import psutil

    try:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_STOP_TIMEOUT_S)
    except psutil.NoSuchProcess:
        pass
    except psutil.Error as error:
        raise EngineUnavailable(
            f"The engine (pid {process.pid}) could not be ended: {error}."
        ) from None
    remove_state(process.pid)


def _health_while_loading(address: EngineAddress) -> "EngineHealth":
    try:
        return fetch_health(address)
    except EngineUnavailable:
        if read_state() is None:
            words = last_words()
            reason = f" Its last words: {words}" if words else ""
            raise EngineUnavailable(f"The engine ended while loading.{reason}") from None
        raise


def _require_same_version(url: str, version: str) -> None:
    """Refuse an engine elsewhere whose messages may mean something else than ours.

    Raises:
        ConfigError: major or minor version differ.
    """
    ours = VERSION
    if _version_key(version)[:2] != _version_key(ours)[:2]:
        raise ConfigError(
            f"The engine at {url} is of version {version}, this infill-ls of {ours}. Install the "
            f"same on both sides (here: pip install infill-ls=={version}), or name another engine."
        )


def _version_key(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)
