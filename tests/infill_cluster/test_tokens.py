import json
import stat
from pathlib import Path

import pytest

from infill_cluster.security.tokens import TokenBook, add_token, read_tokens, revoke_tokens
from infill_engine.api import ConfigError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "team" / "tokens.json"


def test_a_token_opens_and_the_file_does_not_hold_it(path: Path) -> None:
    token = add_token(path, "ada")
    assert len(token) >= 43  # 256 bits
    assert TokenBook(path).user_of(token) == "ada"
    assert token not in path.read_text()
    (record,) = read_tokens(path)
    assert (record.user, record.ending) == ("ada", token[-4:])


def test_the_file_belongs_to_its_owner_alone(path: Path) -> None:
    add_token(path, "ada")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"mode 0644.*chmod 600"):
        TokenBook(path)


def test_tokens_are_all_different_and_a_wrong_one_is_nobodys(path: Path) -> None:
    made = {add_token(path, user) for user in ("ada", "ada", "grace")}
    assert len(made) == 3
    book = TokenBook(path)
    assert sorted(filter(None, map(book.user_of, made))) == ["ada", "ada", "grace"]
    some = next(iter(made))
    for wrong in ("", some[:-1], some + "x", "x" * 100_000, "\ud800"):
        assert book.user_of(wrong) is None


def test_revoking_counts_at_once_for_a_book_that_is_open(path: Path) -> None:
    ada, grace = add_token(path, "ada"), add_token(path, "grace")
    book = TokenBook(path)
    assert [record.user for record in revoke_tokens(path, "ada")] == ["ada"]
    assert (book.user_of(ada), book.user_of(grace)) == (None, "grace")
    new = add_token(path, "ada")
    assert book.user_of(new) == "ada"


def test_one_of_two_tokens_is_revoked_by_its_ending(path: Path) -> None:
    first, second = add_token(path, "ada"), add_token(path, "ada")
    revoke_tokens(path, "ada", first[-4:])
    book = TokenBook(path)
    assert (book.user_of(first), book.user_of(second)) == (None, "ada")


def test_what_cannot_be_revoked_is_told(path: Path) -> None:
    add_token(path, "ada")
    with pytest.raises(ConfigError, match="'grace' has no token"):
        revoke_tokens(path, "grace")
    with pytest.raises(ConfigError, match="no token ending in 'zzzzz'"):
        revoke_tokens(path, "ada", "zzzzz")


@pytest.mark.parametrize("user", ["", "a b", "-x", "ada\n", "x" * 65, "../x", "é"])
def test_names_that_would_spoil_a_line_are_refused(path: Path, user: str) -> None:
    with pytest.raises(ConfigError, match="is no user name"):
        add_token(path, user)
    assert not path.exists()


def test_a_damaged_file_lets_nobody_in_and_says_so(path: Path) -> None:
    token = add_token(path, "ada")
    book = TokenBook(path)
    good = path.read_text()
    for bad in ("{", "[]", '{"tokens": [{"user": "eve"}]}', '{"tokens": 5}'):
        path.write_text(bad)
        assert book.user_of(token) is None
        with pytest.raises(ConfigError, match="is damaged"):
            TokenBook(path)
    path.write_text(good + " ")
    assert book.user_of(token) == "ada"
    path.unlink()
    assert book.user_of(token) is None


def test_a_file_that_lets_nobody_in_is_refused_at_start(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read.*cluster token add"):
        TokenBook(path)
    add_token(path, "ada")
    revoke_tokens(path, "ada")
    assert json.loads(path.read_text())["tokens"] == []
    with pytest.raises(ConfigError, match="has no token"):
        TokenBook(path)
