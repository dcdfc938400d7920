"""All sources together: which wins, which add up, and whose project counts."""

from pathlib import Path
from typing import Any

import pytest

from lsp_server.settings import ServerSettings, SettingsSources
from lsp_server.settings.sources import join

TRUSTED = {"workspaceTrusted": True}


class Workspace:
    """Two workspace folders, one inside the other, a client, and what was reported."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inner = root / "inner"
        self.inner.mkdir()
        self.folder_uris = [root.as_uri(), self.inner.as_uri()]
        self.reported: list[str] = []
        self.client: dict[str | None, Any] = {}
        self.now_s = 0.0

    async def ask(self, scope: str | None) -> object:
        return self.client.get(scope, self.client.get(None))

    def sources(self, options: object = TRUSTED, can_ask: bool = True) -> SettingsSources:
        return SettingsSources(
            options,
            lambda: self.folder_uris,
            self.reported.extend,
            self.ask if can_ask else None,
            lambda: self.now_s,
        )

    def uri(self, name: str = "a.py") -> str:
        return (self.root / name).as_uri()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def write(folder: Path, text: str) -> None:
    (folder / ".infill.toml").write_text(text, encoding="utf-8")


async def test_later_ones_win(workspace: Workspace) -> None:
    uri = workspace.uri()
    assert workspace.sources({}).for_document(uri) == ServerSettings()
    write(workspace.root, "seed = 1\ndeadlineMs = 101\nlineMaxTokens = 11\nblockMaxTokens = 21\n")
    sources = workspace.sources(
        {**TRUSTED, "seed": 2, "deadlineMs": 102, "lineMaxTokens": 12}, can_ask=True
    )
    assert sources.for_document(uri).seed == 2
    sources.push({"infill": {"seed": 3, "deadlineMs": 103}})
    workspace.client = {None: {"seed": 4}, uri: {"seed": 5}}
    await sources.refresh(uri)
    assert sources.for_document(uri) == ServerSettings(
        seed=5, deadline_ms=103, line_max_tokens=12, block_max_tokens=21
    )
    assert sources.for_connection().seed == 4
    assert workspace.reported == []


def test_what_a_push_does_not_mention_stays(workspace: Workspace) -> None:
    sources = workspace.sources({"seed": 2}, can_ask=False)
    sources.push(None)
    sources.push({"mode": "line"})
    assert sources.for_connection() == ServerSettings(seed=2, mode="line")


async def test_after_a_push_the_client_is_asked_anew(workspace: Workspace) -> None:
    sources = workspace.sources()
    workspace.client[None] = {"seed": 1}
    await sources.refresh()
    workspace.client[None] = {"mode": "line"}
    sources.push(None)
    await sources.refresh()
    assert sources.for_connection() == ServerSettings(mode="line")


async def test_a_client_that_can_not_be_asked(workspace: Workspace) -> None:
    workspace.client[None] = {"seed": 1}
    sources = workspace.sources(can_ask=False)
    await sources.refresh(workspace.uri())
    assert sources.for_connection() == ServerSettings()


def test_exclusions_of_project_and_editor_add_up(workspace: Workspace) -> None:
    write(workspace.root, 'exclude = ["a", "b"]\ndisabledLanguages = ["sql"]\n')
    sources = workspace.sources({"exclude": ["b", "c"], "disabledLanguages": ["markdown"]})
    settings = sources.for_document(workspace.uri())
    assert settings.exclude == ("a", "b", "c")
    assert settings.disabled_languages == {"sql", "markdown"}
    sources.push({"exclude": []})
    assert sources.for_document(workspace.uri()).exclude == ("a", "b"), "the editor's own, replaced"


def test_the_documents_own_folder_has_its_say(workspace: Workspace) -> None:
    write(workspace.root, 'seed = 1\n[engine]\nurl = "http://a"\n')
    write(workspace.inner, 'mode = "line"\n[engine]\nurl = "http://b"\n')
    sources = workspace.sources()
    outer = sources.for_document(workspace.uri())
    inner = sources.for_document(workspace.uri("inner/sub/a.py"))
    assert (outer.seed, outer.mode) == (1, "auto")
    assert (inner.seed, inner.mode) == (0, "line")
    assert outer.engine_url == inner.engine_url == "http://a", "one engine for all"


@pytest.mark.parametrize(
    "uri", ["untitled:Untitled-1", "file:///elsewhere/a.py", "file://[", "vscode-vfs://x/a.py", ""]
)
def test_documents_outside_every_folder(workspace: Workspace, uri: str) -> None:
    write(workspace.root, "seed = 1\n")
    assert workspace.sources().for_document(uri).seed == 0


def test_folders_can_be_odd_or_missing(workspace: Workspace) -> None:
    workspace.folder_uris = ["file://[", "memfs:/a", "file:///a%00b"]
    assert workspace.sources().for_connection() == ServerSettings()
    workspace.folder_uris = []
    assert workspace.sources().for_document(workspace.uri()) == ServerSettings()


def test_a_changed_file_counts_at_once_when_the_client_says_so(workspace: Workspace) -> None:
    sources = workspace.sources()
    assert sources.for_connection().seed == 0
    write(workspace.root, "seed = 1\n")
    assert sources.for_connection().seed == 0
    sources.look_again()
    assert sources.for_connection().seed == 1


@pytest.mark.parametrize(
    ("options", "is_trusted"),
    [
        (None, False),
        ([], False),
        ({}, False),
        ({"workspaceTrusted": False}, False),
        ({"workspaceTrusted": True}, True),
        ({"infill": {"workspaceTrusted": True}}, True),
        ({"workspaceTrusted": True, "infill": {"workspaceTrusted": False}}, False),
    ],
)
def test_trust_is_only_what_is_said(
    workspace: Workspace, options: object, is_trusted: bool
) -> None:
    write(workspace.root, 'exclude = ["a"]\n[engine]\nurl = "http://a"\n')
    settings = workspace.sources(options).for_connection()
    assert settings.engine_url == ("http://a" if is_trusted else "")
    assert settings.exclude == ("a",)
    assert len(workspace.reported) == (0 if is_trusted else 1)


def test_trust_that_is_no_yes_or_no_is_none(workspace: Workspace) -> None:
    write(workspace.root, "seed = 1\n")
    assert workspace.sources({"workspaceTrusted": "true", "mode": "line"}).for_connection() == (
        ServerSettings(mode="line")
    )
    assert '"workspaceTrusted" must be true or false' in workspace.reported[0]


async def test_nothing_but_the_options_can_give_trust(workspace: Workspace) -> None:
    write(workspace.root, "workspaceTrusted = true\nseed = 1\n")
    workspace.client[None] = {"workspaceTrusted": True}
    sources = workspace.sources({})
    sources.push({"workspaceTrusted": True})
    await sources.refresh()
    assert sources.for_connection().seed == 0
    assert sum('"workspaceTrusted" is unknown' in words for words in workspace.reported) == 3


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_project_sets_no_token_and_no_recording(workspace: Workspace, is_trusted: bool) -> None:
    write(workspace.root, 'record = "/a"\nengine.token = "b"\n')
    settings = workspace.sources({"workspaceTrusted": is_trusted}).for_connection()
    assert (settings.record, settings.engine_token) == ("", "")


def test_the_users_token_does_not_go_to_a_projects_address() -> None:
    project = {"engine_url": "http://a"}
    token = {"engine_token": "s3cret"}
    assert join(project, token).engine_token == ""
    assert join(project, {**token, "engine_url": "http://b"}).engine_token == "s3cret"
    assert join({}, token).engine_token == "s3cret"
    assert join(project, {"engine_token_env": "HOME"}).engine_token_env == ""
    assert join({}, {"engine_token_env": "HOME"}).engine_token_env == "HOME"


def test_a_project_can_switch_off_what_the_editor_leaves_open(workspace: Workspace) -> None:
    write(workspace.root, "enabled = false\n")
    assert not workspace.sources({}).for_document(workspace.uri()).enabled
    assert workspace.sources({"enabled": True}).for_document(workspace.uri()).enabled
