"""Settings that start the scripted engine of the server's tests, in folders of their own."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infill_client.launcher import stop_engine
from infill_client.settings import CONFIG_DIR_VARIABLE, EngineSettings
from infill_engine.process_state import RUNTIME_DIR_VARIABLE

SCRIPT = Path(__file__).parents[1] / "infill_engine" / "server" / "scripted_engine_process.py"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Runtime and configuration folder of one test; the engine started in it ends with it."""
    monkeypatch.setenv(RUNTIME_DIR_VARIABLE, str(tmp_path / "runtime"))
    monkeypatch.setenv(CONFIG_DIR_VARIABLE, str(tmp_path / "config"))
    yield tmp_path
    stop_engine()


@pytest.fixture
def scripted(folders: Path) -> Callable[..., EngineSettings]:
    def make(*options: str) -> EngineSettings:
        return EngineSettings(model="scripted", command=(sys.executable, str(SCRIPT), *options))

    return make
