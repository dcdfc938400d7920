"""What is written to stderr, and that nothing of a user's ever is.

The most talkative counts of what the command line and the settings say. Knows nothing of who logs.
"""

import logging
import sys

LOG_LEVELS = ("off", "error", "info", "debug")
_current = "off"


def set_up_logging(level: str) -> None:
    """Log to stderr from `level` up, one of `LOG_LEVELS`, unless more is logged already.

    pygls logs whole messages, which are the user's code: it is kept silent at every level.
    """
    global _current
    logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)
    _current = max(_current, level, key=LOG_LEVELS.index)
    if _current == "off":
        logging.disable(logging.CRITICAL)
        return
    logging.disable(logging.NOTSET)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("lsp_server").setLevel(_current.upper())
