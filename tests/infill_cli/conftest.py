"""The command line with the scripted engine of the server's tests on the far side."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infill_cli.commands import cli
from infill_client.launcher import ensure_engine, stop_engine
from infill_client.settings import CONFIG_DIR_VARIABLE, EngineSettings
from infill_engine.process_state import RUNTIME_DIR_VARIABLE

SCRIPT = Path(__file__).parents[1] / "infill_engine" / "server" / "scripted_engine_process.py"
Run = Callable[..., Result]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Runtime, configuration and current folder of one test."""
    monkeypatch.setenv(RUNTIME_DIR_VARIABLE, str(tmp_path / "runtime"))
    monkeypatch.setenv(CONFIG_DIR_VARIABLE, str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path
    stop_engine()


@pytest.fixture
def run(folders: Path) -> Run:
    """Run a command; no exception may come out of it."""

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(cli, arguments, prog_name="infill-ls")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture(scope="module")
def scripted_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runtime folder of a scripted engine that lives as long as the module's tests."""
    folder = tmp_path_factory.mktemp("scripted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUNTIME_DIR_VARIABLE, str(folder))
        ensure_engine(EngineSettings(model="scripted", command=(sys.executable, str(SCRIPT))))
    yield folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUNTIME_DIR_VARIABLE, str(folder))
        stop_engine()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run_scripted(
    scripted_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> Run:
    """Run a command that finds the scripted engine running; it survives the test."""

    def invoke(*arguments: str) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(RUNTIME_DIR_VARIABLE, str(scripted_folder))
            return run(*arguments)

    return invoke
