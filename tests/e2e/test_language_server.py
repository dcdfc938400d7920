"""The real `infill-ls` over stdio with the real engine process and the embedded model."""

import os
import signal
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pygls.exceptions import JsonRpcException

from infill_client.address import EngineAddress
from infill_client.client import EngineClient
from infill_client.launcher import find_engine, stop_engine
from infill_client.settings import CONFIG_DIR_VARIABLE
from infill_engine.api import InfillRequest
from infill_engine.process_state import RUNTIME_DIR_VARIABLE, EngineState, read_state
from lsp_server.postprocess import clean_middle

from ..lsp_server.editor import Editor, running_editor, wait_until

pytestmark = pytest.mark.e2e

SOURCE = """import json
from pathlib import Path


class Reader:
    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, str]:
        with open(self.path) as file:
            return json.load(file)


def total(numbers: list[int]) -> int:
    \"\"\"Add up the numbers.\"\"\"
    result = 0
    for number in numbers:
        result += number
    return result


def main() -> None:
    reader = Reader(Path("a.json"))
    print(reader.read())
"""
TYPED = [  # (line before which it is typed, text): each leaves a gap at its end
    (6, "        self.name = "),
    (10, "            text = "),
    (17, "        print("),
    (18, "    return "),
    (22, "    for "),
]
SERVER = Path(sysconfig.get_path("scripts")) / "infill-ls"


@dataclass(frozen=True)
class Place:
    """A user's folders, with a source file."""

    source: Path

    @property
    def uri(self) -> str:
        return self.source.as_uri()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Folders of their own, so that no engine of the user's is touched; one engine for all."""
    folder = tmp_path_factory.mktemp("user")
    source = folder / "a.py"
    source.write_text(SOURCE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUNTIME_DIR_VARIABLE, str(folder / "run"))
        patch.setenv(CONFIG_DIR_VARIABLE, str(folder / "config"))
        try:
            yield Place(source)
        finally:
            stop_engine()


def running_server(place: Place, **settings: object) -> AbstractAsyncContextManager[Editor]:
    options = {"deadlineMs": 60_000, "mode": "line", "minConfidence": 0, **settings}
    command = [str(SERVER)] if SERVER.exists() else [sys.executable, "-m", "lsp_server"]
    return running_editor(options, command=command, root_uri=place.source.parent.as_uri())


@pytest.mark.parametrize(("line", "typed"), TYPED)
async def test_a_real_file_is_completed_by_the_embedded_model(
    place: Place, line: int, typed: str
) -> None:
    """What is offered is what the model itself writes in this gap, blanks alone excepted."""
    async with running_server(place) as editor:
        await editor.wait_for_status("ready")
        editor.open(SOURCE, place.uri)
        editor.type("\n", line, 0, place.uri)
        for character, char in enumerate(typed):
            editor.type(char, line, character, place.uri)
        offered = await editor.texts(line, len(typed), place.uri)
    assert offered == await _model_writes(line, typed)


async def test_a_doubtful_suggestion_is_cut_or_withheld(place: Place) -> None:
    line, typed = TYPED[3]
    offered: list[list[str]] = []
    for least in (0, 0.3, 1):
        async with running_server(place, minConfidence=least) as editor:
            await editor.wait_for_status("ready")
            editor.open(SOURCE, place.uri)
            editor.type(typed + "\n", line, 0, place.uri)
            offered.append(await editor.texts(line, len(typed), place.uri) or [])
    everything, some, nothing = offered
    assert not nothing, "no token is ever beyond doubt"
    assert all(whole.startswith(part) for whole, part in zip(everything, some, strict=False))


async def _model_writes(line: int, typed: str) -> list[str] | None:
    lines = SOURCE.splitlines(keepends=True)
    prefix = "".join(lines[:line]) + typed
    suffix = "\n" + "".join(lines[line:])
    request = InfillRequest(
        prefix, suffix, language_id="python", path="a.py", mode="line", max_new_tokens=48
    )
    state = running_engine()
    async with EngineClient(EngineAddress(state.url, state.token)) as client:
        result = await client.infill(request)
    assert result.num_steps > 0 or result.drafted_tokens > 0
    middle = clean_middle(result.text, prefix, suffix, "line")
    return [middle] if middle else None


async def test_the_same_seed_gives_the_same_text(place: Place) -> None:
    async with running_server(place) as editor:
        await editor.wait_for_status("ready")
        editor.open(place.source.read_text(encoding="utf-8"), place.uri)
        editor.type("    return \n", 18, 0, place.uri)
        assert await editor.texts(18, 11, place.uri) == await editor.texts(18, 11, place.uri)


async def test_a_request_is_cancelled_while_the_engine_has_it(place: Place) -> None:
    async with running_server(place) as editor:
        await editor.wait_for_status("ready")
        editor.open(place.source.read_text(encoding="utf-8"), place.uri)
        editor.type("    return \n", 18, 0, place.uri)
        # Stopped in its tracks, the engine can not be done before the cancellation comes.
        engine = running_engine()
        os.kill(engine.pid, signal.SIGSTOP)
        try:
            asked = editor.ask(18, 11, place.uri)
            editor.cancel(asked)
            with pytest.raises(JsonRpcException) as caught:
                await asked
            assert caught.value.code == -32800
        finally:
            os.kill(engine.pid, signal.SIGCONT)
        await wait_until(is_engine_idle)
        # Both go on as if nothing had been.
        await editor.texts(18, 11, place.uri)
        assert editor.statuses[-1]["state"] == "ready"
    assert running_engine().pid == engine.pid


async def test_two_editors_share_one_engine(place: Place) -> None:
    async with running_server(place) as first, running_server(place) as second:
        await first.wait_for_status("ready")
        pid = running_engine().pid
        await second.wait_for_status("ready")
        assert running_engine().pid == pid


async def test_a_killed_engine_is_null_and_a_status_then_another_engine(place: Place) -> None:
    async with running_server(place) as editor:
        await editor.wait_for_status("ready")
        editor.open(place.source.read_text(encoding="utf-8"), place.uri)
        editor.type("    return \n", 18, 0, place.uri)
        killed = running_engine()
        num_statuses = len(editor.statuses)
        os.kill(killed.pid, signal.SIGSTOP)
        asked = editor.ask(18, 11, place.uri)
        os.kill(killed.pid, signal.SIGKILL)
        assert await asked is None
        await editor.wait_for_status("unavailable", after=num_statuses)
        await editor.wait_for_status("ready", after=num_statuses)
        assert running_engine().pid != killed.pid
        await editor.texts(18, 11, place.uri)
        assert editor.statuses[-1]["state"] == "ready"


def running_engine() -> EngineState:
    state = read_state()
    assert state is not None
    return state


def is_engine_idle() -> bool:
    found = find_engine()
    return found is not None and found[1].num_running == 0 and found[1].num_queued == 0
