"""An Emacs without its user's configuration, and one real engine for all tests."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...installed import installed_or_skip
from ...system_packages import ensure_program
from ..own_engine import own_engine
from .batch import Emacs


@pytest.fixture(scope="package")
def emacs_program() -> Path:
    """Emacs' program, 28 or newer."""
    program = installed_or_skip(lambda: ensure_program("emacs", "emacs-nox", "emacs-el"))
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    version = told.stdout.split()[2]
    if int(version.split(".")[0]) < 28:
        pytest.skip(f"Emacs {version} is too old; 28 is needed")
    return program


@pytest.fixture(scope="package")
def engine_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of an engine that is not the user's; stopped at the end."""
    with own_engine(tmp_path_factory.mktemp("engine")) as environment:
        yield environment


@pytest.fixture
def emacs(emacs_program: Path, engine_home: dict[str, str], tmp_path: Path) -> Emacs:
    """Runs a script in an Emacs of its own, in a project folder of its own."""
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-m", "lsp_server"]
    return Emacs(emacs_program, tmp_path, {**engine_home, "HOME": str(home)}, command)
