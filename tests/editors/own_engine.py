"""An engine that is not the user's, for editors whose servers the tests start.

Knows nothing of the editor.
"""

import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infill_client.launcher import stop_engine
from infill_client.settings import CONFIG_DIR_VARIABLE
from infill_engine.process_state import RUNTIME_DIR_VARIABLE
from lsp_server.speaking.stats_file import STATE_DIR_VARIABLE


@contextmanager
def own_engine(folder: Path) -> Iterator[dict[str, str]]:
    """Let this process and what it starts know only an engine, settings and counters in `folder`.

    Yields:
        The environment of an editor: those folders, and the tests' own `infill-ls` first on PATH.
        The engine is stopped at the end.
    """
    variables = {
        RUNTIME_DIR_VARIABLE: str(folder / "run"),
        CONFIG_DIR_VARIABLE: str(folder / "config"),
        STATE_DIR_VARIABLE: str(folder / "state"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        if "PYTHONPATH" in os.environ:
            variables["PYTHONPATH"] = os.environ["PYTHONPATH"]
        yield {**variables, "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"}
        stop_engine()
