"""The command line with a server of OpenAI's API on the far side, and tokens in a keyring."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from click.testing import CliRunner, Result

from infill_cli.commands import cli
from infill_client.settings import settings_file

from ..infill_client.keyrings import FILE_VARIABLE, FileKeyring
from ..infill_client.openai.fake_server import FakeServer, running_server


@pytest.fixture(autouse=True)
def own_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "keyring.json"))
    before = keyring.get_keyring()
    keyring.set_keyring(FileKeyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def server(folders: Path) -> Iterator[FakeServer]:
    """A server that the user's settings name, and that wants a token."""
    with running_server(token="s3cret", pieces=["```\n", "a + b\n", "```"]) as running:
        settings_file().parent.mkdir(parents=True)
        settings_file().write_text(f'kind = "openai"\nurl = "{running.url}"\n')
        yield running


def login(url: str, token: str) -> Result:
    return CliRunner().invoke(cli, ["engine", "login", url], input=token)


def test_log_in_use_it_and_log_out(server: FakeServer, run: Any, folders: Path) -> None:
    source = folders / "work" / "a.py"
    source.write_text("def add(a, b):\n    return \n")
    refused = run("complete", f"{source}:2:12")
    assert refused.exit_code == 2
    assert f"infill-ls engine login {server.url}" in refused.stderr

    stored = login(server.url, "s3cret\n")
    assert stored.exit_code == 0, stored.output
    assert "s3cret" not in stored.output
    filled = run("complete", f"{source}:2:12")
    assert filled.stdout == "a + b\n"
    watched = run("complete", f"{source}:2:12", "--watch", "--json")
    assert json.loads(watched.stdout)["finish_reason"] == "line_settled"

    assert "is removed" in run("engine", "logout", server.url).stdout
    assert "has no token" in run("engine", "logout", server.url).stdout
    assert run("complete", f"{source}:2:12").exit_code == 2


@pytest.mark.parametrize(
    ("url", "token", "words"),
    [("http://127.0.0.1:1", "\n", "The token is empty"), ("nowhere", "t", "give a URL like")],
)
def test_what_is_no_login(url: str, token: str, words: str) -> None:
    result = login(url, token)
    assert result.exit_code == 2
    assert words in result.output


def test_doctor_and_status_say_what_it_can_do(server: FakeServer, run: Any) -> None:
    broken = run("doctor")
    assert broken.exit_code == 2
    assert "wants a token and got none" in broken.stdout
    login(server.url, "s3cret")
    told = run("doctor")
    assert told.exit_code == 0, told.stdout
    assert f"elsewhere, at {server.url}: tiny, asked by chat; streams" in told.stdout
    assert "filled a small gap" in told.stdout
    status = run("engine", "status")
    assert "way: chat" in status.stdout and "settles: no" in status.stdout
    whole = json.loads(run("engine", "status", "--json").stdout)
    assert (whole["status"], whole["details"]["model"]) == ("ready", "tiny")


def test_a_kind_without_an_address(folders: Path, run: Any) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('kind = "openai"\n')
    assert "url names no server" in run("engine", "status").stderr
    settings_file().write_text('kind = "vllm"\n')
    assert "kind is 'vllm'; allowed are infill, openai" in run("engine", "status").stderr
