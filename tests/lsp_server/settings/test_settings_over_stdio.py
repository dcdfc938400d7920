"""Settings reach the server's process from every source, while it runs and while nobody answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from ..editor import Editor, running_editor, wait_until
from ..fake_engine import TOKEN, FakeEngine

pytestmark = pytest.mark.e2e

CAN_BE_ASKED = types.WorkspaceClientCapabilities(
    configuration=True,
    did_change_configuration=types.DidChangeConfigurationClientCapabilities(True),
    did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(True),
)


class SettingsEditor:
    """An editor that is asked for its settings, over a folder with a project's file.

    Attributes:
        editor: the editor.
        configuration: what it answers, by document or None.
        registered: methods that the server has asked to be told of.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = (folder / "a.py").as_uri()
        self.configuration: dict[str | None, Any] = {}
        self.registered: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.editor: Editor

    def prepare(self, editor: Editor) -> None:
        self.editor = editor
        for method in (types.WORKSPACE_CONFIGURATION, types.CLIENT_REGISTER_CAPABILITY):
            editor.client.protocol.fm.features.pop(method, None)  # the test client's own

        @editor.client.feature(types.WORKSPACE_CONFIGURATION)
        async def configuration(params: types.ConfigurationParams) -> list[Any]:
            await self.may_answer.wait()
            assert [item.section for item in params.items] == ["infill"]
            scope = params.items[0].scope_uri
            return [self.configuration.get(scope, self.configuration.get(None))]

        @editor.client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(params: types.RegistrationParams) -> None:
            self.registered += [registration.method for registration in params.registrations]

    def say_changed(self) -> None:
        self.editor.client.workspace_did_change_configuration(
            types.DidChangeConfigurationParams(None)
        )

    def write(self, text: str) -> None:
        path = self.folder / ".infill.toml"
        path.write_text(text, encoding="utf-8")
        self.editor.client.workspace_did_change_watched_files(
            types.DidChangeWatchedFilesParams(
                [types.FileEvent(path.as_uri(), types.FileChangeType.Changed)]
            )
        )

    @property
    def warnings(self) -> list[str]:
        return [message.message for message in self.editor.client.messages]

    @asynccontextmanager
    async def running(self, options: Any = None) -> AsyncIterator[Editor]:
        async with running_editor(
            options,
            root_uri=self.folder.as_uri(),
            workspace=CAN_BE_ASKED,
            prepare=self.prepare,
        ) as editor:
            yield editor


@pytest.fixture
async def asked(tmp_path: Path, engine: FakeEngine) -> SettingsEditor:
    editor = SettingsEditor(tmp_path)
    editor.configuration[None] = {"engine": {"url": engine.url, "token": TOKEN}}
    return editor


async def test_the_client_is_asked_before_an_engine_is_started(
    asked: SettingsEditor, engine: FakeEngine
) -> None:
    async with asked.running() as editor:
        await editor.wait_for_status("ready")
        assert [status["state"] for status in editor.statuses] == ["starting", "ready"]
        editor.open("x = ", asked.uri)
        assert await editor.texts(0, 4, asked.uri) == ["1"]
        assert asked.warnings == []


async def test_a_document_can_have_settings_of_its_own(
    asked: SettingsEditor, engine: FakeEngine
) -> None:
    own = (asked.folder / "own.py").as_uri()
    asked.configuration[None]["deadlineMs"] = 777
    asked.configuration[own] = {"deadlineMs": 888}
    async with asked.running() as editor:
        await editor.wait_for_status("ready")
        for uri in (asked.uri, own):
            editor.open("x = ", uri)
            assert await editor.texts(0, 4, uri) == ["1"]
        assert [request["deadline_ms"] for request in engine.requests] == [777, 888]
        asked.configuration[own] = {"enabled": False}
        asked.say_changed()
        assert await editor.texts(0, 4, own) is None
        assert await editor.texts(0, 4, asked.uri) == ["1"]


async def test_another_engine_is_taken_when_the_settings_say_so(
    asked: SettingsEditor, engine: FakeEngine
) -> None:
    async with asked.running({"engine.url": "http://127.0.0.1:9"}) as editor:
        await editor.wait_for_status("ready")
        asked.configuration[None] = {}
        asked.say_changed()
        await editor.wait_for_status("unavailable")


async def test_a_client_that_never_answers_is_not_waited_for(
    asked: SettingsEditor, engine: FakeEngine
) -> None:
    asked.may_answer.clear()
    options = {"engine": {"url": engine.url, "token": TOKEN}, "deadlineMs": 777}
    async with asked.running(options) as editor:
        editor.open("x = ", asked.uri)
        await editor.wait_for_status("ready")
        assert await editor.texts(0, 4, asked.uri) == ["1"]
        assert engine.requests[-1]["deadline_ms"] == 777
        asked.may_answer.set()  # the test client can not end with a question open


async def test_a_projects_file_counts_as_soon_as_it_changes(
    asked: SettingsEditor, engine: FakeEngine
) -> None:
    (asked.folder / ".infill.toml").write_text("deadlineMs = 777\n", encoding="utf-8")
    async with asked.running({"workspaceTrusted": True}) as editor:
        await editor.wait_for_status("ready")
        await wait_until(lambda: len(asked.registered) == 2)
        assert types.WORKSPACE_DID_CHANGE_WATCHED_FILES in asked.registered
        editor.open("x = ", asked.uri)
        assert await editor.texts(0, 4, asked.uri) == ["1"]
        assert engine.requests[-1]["deadline_ms"] == 777
        asked.write("enabled = false\n")
        assert await editor.texts(0, 4, asked.uri) is None
        asked.write("enabled = \n")
        assert await editor.texts(0, 4, asked.uri) is None
        assert any("line 1" in warning for warning in asked.warnings)
        asked.write("")
        assert await editor.texts(0, 4, asked.uri) == ["1"]


async def test_an_untrusted_projects_file_names_no_engine(
    asked: SettingsEditor, engine: FakeEngine
) -> None:
    text = 'deadlineMs = 777\ndisabledLanguages = ["sql"]\n[engine]\nurl = "http://127.0.0.1:9"\n'
    (asked.folder / ".infill.toml").write_text(text, encoding="utf-8")
    sql = (asked.folder / "a.sql").as_uri()
    async with asked.running() as editor:
        await editor.wait_for_status("ready")
        editor.open("x = ", asked.uri)
        editor.open("select ", sql, "sql")
        assert await editor.texts(0, 4, asked.uri) == ["1"]
        assert await editor.texts(0, 7, sql) is None
        assert engine.requests[-1]["deadline_ms"] == 3000
        (warning,) = asked.warnings
        assert '"deadlineMs", "engine.url"' in warning and "not trusted" in warning
