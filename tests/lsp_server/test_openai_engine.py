"""The language server over stdio with a server of OpenAI's API as its engine."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infill_client.settings import CONFIG_DIR_VARIABLE

from ..infill_client.certificates import Authority
from ..infill_client.keyrings import FILE_VARIABLE, FileKeyring
from ..infill_client.openai.fake_server import FakeServer, running_server
from .editor import PLAIN, Editor, running_editor, wait_until
from .test_rewrite import Client, rewrite

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with running_server(token="s3cret", pieces=["```\n", "a + ", "b\n", "```"]) as running:
        yield running


def options(server: FakeServer, **engine: str) -> dict[str, Any]:
    return {"engine": {"kind": "openai", "url": server.url, **engine}, **PLAIN}


async def ready(editor: Editor) -> None:
    await editor.wait_for_status("ready")
    editor.open("def add(a, b):\n    return \n")


async def test_it_is_asked_for_ghost_text(server: FakeServer) -> None:
    async with running_editor(options(server, tokenEnv="TEAM"), env={"TEAM": "s3cret"}) as editor:
        await ready(editor)
        assert editor.statuses[0]["state"] == "starting"
        assert any("what it can do" in status["message"] for status in editor.statuses)
        assert await editor.texts(1, 11) == ["a + b"]
        server.hold()
        num_requests, num_abandoned = len(server.requests), server.num_abandoned
        asked = editor.ask(1, 11)
        await wait_until(lambda: len(server.requests) > num_requests)
        editor.cancel(asked)
        await wait_until(lambda: server.num_abandoned > num_abandoned)
        server.release()


async def test_a_selection_is_rewritten_as_told(server: FakeServer) -> None:
    server.pieces = ["Sure!\n```python\n", "    return b", " + a\n```\nDone."]
    async with running_editor(options(server, token="s3cret")) as editor:
        await ready(editor)
        client = Client(editor)
        answer = await rewrite(editor, instruction="swap the operands", version=1)
        assert answer.applied
        ((change,),) = [edit.document_changes for edit in client.edits]
        assert [edit.new_text for edit in change.edits] == ["return b + a"]
    assert "swap the operands" in server.asked["messages"][0]["content"]


async def test_the_token_can_come_from_the_keyring(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "keyring.json"))
    FileKeyring().set_password("infill-ls", server.url, "s3cret")
    env = {
        "PYTHON_KEYRING_BACKEND": "tests.infill_client.keyrings.FileKeyring",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
    }
    async with running_editor(options(server), env=env) as editor:
        await ready(editor)
        assert await editor.texts(1, 11) == ["a + b"]


async def test_a_private_authority_and_a_certificate_of_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with running_server(authority.sign("server"), pieces=["1"]) as server:
        async with running_editor(options(server, caFile=str(authority.file))) as editor:
            await ready(editor)
            assert await editor.texts(1, 11) == ["1"]
        async with running_editor(options(server)) as editor:
            status = await editor.wait_for_status("unavailable")
            assert "engine.caFile" in status["message"]


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ({}, "wants a token and got none"),
        ({"token": "wrong"}, "did not accept the token"),
        ({"tokenEnv": "INFILL_NOT_SET"}, "'INFILL_NOT_SET', which is not set"),
        ({"token": "s3cret", "model": "huge"}, "has no model 'huge'; .*'tiny'"),
        ({"url": ""}, "engine.url names no server"),
    ],
)
async def test_what_is_wrong_is_in_the_status(
    server: FakeServer, engine: dict[str, str], words: str, tmp_path: Path
) -> None:
    env = {
        CONFIG_DIR_VARIABLE: str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    async with running_editor(options(server, **engine), env=env) as editor:
        status = await editor.wait_for_status("unavailable")
        assert re.search(words, status["message"])
        editor.open("x = ")
        assert await editor.texts(0, 4) is None


async def test_a_server_that_comes_back_is_found_again(server: FakeServer) -> None:
    async with running_editor(options(server, token="s3cret")) as editor:
        await ready(editor)
        server.refuse_with, server.num_refused = (502, {}, {}), 1
        assert await editor.texts(1, 11) is None
        await editor.wait_for_status("unavailable")
        await editor.wait_for_status("ready", after=len(editor.statuses) - 1)
        assert await editor.texts(1, 11) == ["a + b"]


async def test_a_project_names_no_server_unless_it_is_trusted(
    server: FakeServer, tmp_path: Path
) -> None:
    server.token = ""
    project = tmp_path / "project"
    project.mkdir()
    (project / ".infill.toml").write_text(
        f'engine.kind = "openai"\nengine.url = "{server.url}"\nengine.token = "s3cret"\n'
    )
    own = {"enabled": False}  # no engine of the user's is to be started
    async with running_editor(own, root_uri=project.as_uri()) as editor:
        await wait_until(lambda: len(editor.client.messages) >= 2)
        problems = " ".join(message.message for message in editor.client.messages)
    assert "infill-ls engine login" in problems and "not trusted" in problems
    assert server.requests == [], "nothing was asked of it"
    trusted = {**PLAIN, "workspaceTrusted": True}
    async with running_editor(trusted, root_uri=project.as_uri()) as editor:
        await ready(editor)
        assert await editor.texts(1, 11) == ["a + b"]
