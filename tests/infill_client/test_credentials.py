"""Where a token comes from: the setting, an environment variable, the keyring; in that order."""

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from infill_client.credentials import address_of, find_token, remove_token, server_of, store_token
from infill_client.settings import EngineSettings
from infill_engine.api import ConfigError

from .keyrings import FILE_VARIABLE, FileKeyring, LockedKeyring

URL = "https://team.example:8443/v1"
SETTINGS = EngineSettings(url=URL, kind="openai")


@pytest.fixture(autouse=True)
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The keyring's file."""
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "keyring.json"))
    before = keyring.get_keyring()
    keyring.set_keyring(FileKeyring())
    yield tmp_path / "keyring.json"
    keyring.set_keyring(before)


def test_a_stored_token_is_found_for_its_server_alone() -> None:
    assert find_token(SETTINGS) == ""
    store_token(URL, "s3cret")
    assert find_token(SETTINGS) == "s3cret"
    assert find_token(EngineSettings(url="https://team.example:8443")) == "s3cret"
    assert find_token(EngineSettings(url="https://team.example")) == ""
    assert find_token(EngineSettings(url="https://elsewhere.example:8443")) == ""
    assert remove_token(URL)
    assert not remove_token(URL)
    assert find_token(SETTINGS) == ""


def test_the_setting_wins_then_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    store_token(URL, "stored")
    monkeypatch.setenv("TEAM_TOKEN", " of-the-variable\n")
    named = EngineSettings(url=URL, token_env="TEAM_TOKEN")
    assert find_token(named) == "of-the-variable"
    assert find_token(EngineSettings(url=URL, token_env="TEAM_TOKEN", token="set")) == "set"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_variable_that_is_not_set(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    store_token(URL, "stored")
    monkeypatch.delenv("TEAM_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("TEAM_TOKEN", value)
    with pytest.raises(ConfigError, match="'TEAM_TOKEN', which is not set"):
        find_token(EngineSettings(url=URL, token_env="TEAM_TOKEN"))


def test_no_keyring_is_no_token_and_says_so_when_one_is_to_be_stored() -> None:
    keyring.set_keyring(LockedKeyring())
    assert find_token(SETTINGS) == ""
    with pytest.raises(ConfigError, match=r"no keyring that takes the token.* engine\.tokenEnv"):
        store_token(URL, "s3cret")
    with pytest.raises(ConfigError, match="no keyring that can be read"):
        remove_token(URL)


@pytest.mark.parametrize(
    ("url", "token", "words"),
    [
        (URL, "", "The token is empty"),
        (URL, "naïve", "no HTTP header can carry"),
        ("http://team.example", "t", "beyond this machine only https"),
        ("team.example", "t", "give a URL like"),
    ],
)
def test_what_cannot_work_is_not_stored(url: str, token: str, words: str, entries: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        store_token(url, token)
    assert not entries.exists()


def test_an_address_is_checked_before_a_keyring_is_asked() -> None:
    keyring.set_keyring(LockedKeyring())
    with pytest.raises(ConfigError, match="only https is allowed"):
        address_of(EngineSettings(url="http://team.example"))


def test_a_token_is_not_shown() -> None:
    store_token(URL, "s3cret")
    assert "s3cret" not in repr(address_of(SETTINGS))
    assert "s3cret" not in repr(EngineSettings(token="s3cret"))


def test_what_a_token_belongs_to() -> None:
    assert server_of("https://a.example/v1") == server_of("https://A.example:443")
    assert server_of("https://a.example") != server_of("https://a.example:8443")
