"""Where the engine's process writes what it does: a rotating file in the user's log folder.

Holds modes, counts and times, never a path or a character of the user's code.
"""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from infill_engine.api import ConfigError
from infill_engine.process_state import log_folder

_MAX_BYTES = 1_000_000
_NUM_OLD_FILES = 3


def log_path() -> Path:
    """Return the path of the engine's current log file."""
    return log_folder() / "engine.log"


def start_logging(to_stderr: bool) -> None:
    """Send all log records of this process to the log file, and to stderr if asked.

    Raises:
        ConfigError: the log file cannot be written.
    """
    # A full disk must not spoil a request with the logging module's own traceback.
    logging.raiseExceptions = False
    path = log_path()
    try:
        file_handler = RotatingFileHandler(
            path, maxBytes=_MAX_BYTES, backupCount=_NUM_OLD_FILES, encoding="utf-8"
        )
    except OSError as error:
        raise ConfigError(
            f"The engine's log file {path} cannot be written ({error.strerror})."
        ) from None
    handlers: list[logging.Handler] = [file_handler]
    if to_stderr:
        handlers.append(logging.StreamHandler())
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s",
        handlers=handlers,
        force=True,
    )
    # At DEBUG it logs every event, which holds code; its level must not follow the root's.
    logging.getLogger("sse_starlette").setLevel(logging.WARNING)
