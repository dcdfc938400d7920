"""Says whether the user could not save what would be suggested. Knows nothing else of files."""

import os
from pathlib import PurePath

from lsp_server.speaking.reasons import Withheld


def why_read_only(path: str | PurePath) -> Withheld | None:
    """Withhold for a file that exists and may not be written; None for any other.

    Args:
        path: absolute path of the document's file. Never raises, whatever it is.
    """
    try:
        is_read_only = os.path.exists(path) and not os.access(path, os.W_OK)  # noqa: PTH110
    except (OSError, ValueError):
        return None
    name = PurePath(path).name
    if not is_read_only:
        return None
    return Withheld("read_only", f"{name} can not be written; nothing is suggested there.")
