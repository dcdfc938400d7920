"""A model slower than reading: a beginning is shown, grows as it is typed, is asked for once."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from .workbench import VSCode

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

LINES = ("alpha(beta)", " + gamma(delta)", "\n    epsilon = zeta(eta)", "\n    theta = iota")
TEXT = "".join(LINES)
BEFORE = "def first():\n"
SERVER = Path(__file__).with_name("slow_server.py")


class SlowModel:
    """The slow server, as the test drives it.

    Attributes:
        folder: by which the two talk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "text").write_text(TEXT)
        (folder / "methods").touch()
        (folder / "asked").touch()
        self.knows(0)

    def knows(self, num_lines: int) -> None:
        """So many of LINES may be shown from now on; all of them end a request."""
        new = self.folder / "known.new"
        new.write_text(str(len("".join(LINES[:num_lines]))))
        new.replace(self.folder / "known")

    def count(self, method: str) -> int:
        """How often the server received this method."""
        return (self.folder / "methods").read_text().splitlines().count(method)


@pytest_asyncio.fixture(loop_scope="session")
async def model(window: VSCode, tmp_path: Path) -> AsyncIterator[SlowModel]:
    made = SlowModel(tmp_path / "slow")
    command = [sys.executable, str(SERVER), str(made.folder)]
    window.server.folders.write_settings(machine={"infill.server.command": command})
    yield made
    await window.close_all()  # unsaved text would be in the way of another try
    window.server.folders.write_settings()


async def _is_asked_for_the_last_key(vscode: VSCode, model: SlowModel, typed: str) -> None:
    async def is_connected() -> bool:
        return model.count("infill/status") == 1

    async def is_asked() -> bool:
        return (model.folder / "asked").read_text() == f"1:{len(typed)}"

    await vscode.wait_until(is_connected, "the slow server runs")
    await vscode.open("slow.txt", BEFORE + "\n")
    await vscode.go_to(2, 1)
    await vscode.type(typed)
    await vscode.wait_until(is_asked, "the server is asked behind the last key")


async def test_it_grows_while_it_is_typed_and_goes_on_when_taken(
    window: VSCode, model: SlowModel
) -> None:
    typed = "x ="
    await _is_asked_for_the_last_key(window, model, typed)
    num_asked = model.count("infill/stream")
    # A beginning is shown, long before the text is whole.
    model.knows(1)
    await window.wait_for_ghost_text(LINES[0].__eq__)
    # What comes to be known shows with the next keys that agree.
    model.knows(2)
    first_line = LINES[0] + LINES[1]
    for count in range(1, 4):
        await window.type(TEXT[count - 1])
        await window.wait_for_ghost_text(
            lambda shown, count=count: shown in (LINES[0][count:], first_line[count:])
        )
    await window.wait_for_ghost_text(first_line[3:].__eq__)
    await window.screenshot("slow-model-grown")
    # All that is shown is taken: the rest follows as soon as it is known.
    await window.press("Tab")
    model.knows(3)
    await window.wait_for_ghost_text(LINES[2].__eq__)
    # By the same request, which still runs: nothing was asked anew.
    assert model.count("infill/stream") == num_asked
    assert model.count("$/cancelRequest") == num_asked - 1
    await window.press("Tab")
    model.knows(4)
    await window.wait_for_ghost_text(LINES[3].__eq__)
    assert model.count("infill/stream") == num_asked
    assert model.count("infill/didShow") == 1
    await window.press("Tab")
    assert await window.save() == BEFORE + typed + TEXT + "\n"
