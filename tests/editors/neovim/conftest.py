"""A Neovim of each version, with the plugin, the real server and one real engine for all."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ...installed import installed_or_skip
from ..own_engine import own_engine
from .driver import Neovim, running_neovim
from .install_nvim import VERSIONS, installed_nvim

SOURCE = """import json
from pathlib import Path


class Reader:
    def __init__(self, path: Path) -> None:
        self.path = path


def total(numbers: list[int]) -> int:
    result = 0
    for number in numbers:
        result += number


def main() -> None:
    reader = Reader(Path("a.json"))
    print(reader.path)
"""
SETTINGS = {"deadlineMs": 60_000, "mode": "line", "minConfidence": 0, "debounce": {"maxMs": 0}}
"""What makes the server speak as soon and as often as it can."""

OpenNeovim = Callable[..., AbstractContextManager[Neovim]]


@pytest.fixture(scope="session")
def engine_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of an engine that is not the user's; one for all tests, stopped at the end."""
    with own_engine(tmp_path_factory.mktemp("engine")) as environment:
        yield environment


@pytest.fixture(scope="module", params=VERSIONS)
def program(request: pytest.FixtureRequest) -> Path:
    """Neovim's program, once for each version."""
    return installed_or_skip(lambda: installed_nvim(request.param))


@pytest.fixture
def open_neovim(program: Path, engine_home: dict[str, str], tmp_path: Path) -> OpenNeovim:
    """Opens a file in a Neovim with the plugin; the server is started by `setup`."""

    @contextmanager
    def opened(
        text: str = SOURCE, name: str = "a.py", wait: bool = True, **options: Any
    ) -> Iterator[Neovim]:
        source = tmp_path / name
        source.write_bytes(text.encode())
        command = [sys.executable, "-m", "lsp_server"]
        with running_neovim(program, tmp_path / "nvim", engine_home) as editor:
            editor.nvim.command(f"silent edit {source}")  # a long path would wait for Enter
            editor.lua(
                "require('infill').setup(...)",
                {"cmd": command, "settings": SETTINGS, "keys": True, **options},
            )
            if wait:
                editor.wait_for(lambda: editor.status() == "ready", "the engine is not ready")
            yield editor

    return opened


@pytest.fixture
def editor(open_neovim: OpenNeovim) -> Iterator[Neovim]:
    """A Neovim with a Python file open and the engine ready."""
    with open_neovim() as opened:
        yield opened
