"""Bearer tokens of a team: one file, in which only their digests stand.

A token is 256 random bits, shown once. Its SHA-256 is kept: a slow hash protects passwords that
can be guessed, and nobody guesses this. The file is looked at before each answer, so what is
revoked is refused from the next request on, without a restart. Knows nothing of HTTP. Clocks do
not matter: a token is valid until it is revoked.
"""

import hashlib
import json
import logging
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from infill_engine.api import ConfigError

logger = logging.getLogger(__name__)

TOKEN_PREFIX = "ils_"
"""Lets scanners for leaked secrets recognise one."""
ENDING_CHARS = 4
_TOKEN_BYTES = 32
_MAX_TOKEN_CHARS = 200
_USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_OTHERS_MAY = stat.S_IWGRP | stat.S_IRWXO
"""Permissions that spoil a token file. Kubernetes mounts secrets readable for a group."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What is kept of a token.

    Attributes:
        user: whose it is.
        digest: SHA-256 of the token, hexadecimal.
        ending: the token's last characters, to recognise it by.
        created: when it was added, ISO 8601 in UTC.
    """

    user: str
    digest: str
    ending: str
    created: str


def digest_of(token: str) -> str:
    """Return what is kept of a token instead of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def add_token(path: Path, user: str) -> str:
    """Make a token for `user`, keep its digest in the file at `path`, and return it.

    Raises:
        ConfigError: the name is no user name, or the file cannot be read or written.
    """
    if not _USER_NAME.fullmatch(user):
        raise ConfigError(
            f"{user!r} is no user name; allowed are 1 to 64 letters, digits, '.', '_', '@' and "
            "'-', the first of them a letter or digit."
        )
    token = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    record = TokenRecord(user, digest_of(token), token[-ENDING_CHARS:], created)
    with _locked(path):
        _write(path, [*_read_if_there(path), record])
    return token


def revoke_tokens(path: Path, user: str, ending: str = "") -> list[TokenRecord]:
    """Remove the tokens of `user`, or the one with this ending, and return what was removed.

    Raises:
        ConfigError: there is none, or the file cannot be read or written.
    """
    with _locked(path):
        records = _read_if_there(path)
        revoked = [r for r in records if r.user == user and ending in ("", r.ending)]
        if not revoked:
            what = f"token ending in {ending!r}" if ending else "token"
            raise ConfigError(
                f"{user!r} has no {what} in {path}; `infill-ls cluster token list` shows them."
            )
        _write(path, [record for record in records if record not in revoked])
    return revoked


def read_tokens(path: Path) -> list[TokenRecord]:
    """Return all records of the file.

    Raises:
        ConfigError: it is not there, others may read or change it, or it cannot be understood.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(
            f"The token file {path} cannot be read ({reason}). "
            "`infill-ls cluster token add USER` makes one."
        ) from None
    if os.name == "posix" and mode & _OTHERS_MAY:
        raise ConfigError(
            f"The token file {path} has mode {stat.S_IMODE(mode):04o}: others may read or change "
            f"it. Run `chmod 600 {path}`."
        )
    try:
        names = {f.name for f in fields(TokenRecord)}
        records = [
            TokenRecord(**{name: str(item[name]) for name in names})
            for item in json.loads(text)["tokens"]
        ]
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"The token file {path} is damaged. Restore it, or delete it and give out new tokens."
        ) from None
    return records


class TokenBook:
    """Answers whose a token is, from a file that may change at any time."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            ConfigError: as `read_tokens` does; a file without any token is refused as well.
        """
        self._path = path
        records = read_tokens(path)
        if not records:
            raise ConfigError(
                f"The token file {path} has no token: nobody could use the engine. "
                "Add one with `infill-ls cluster token add USER`."
            )
        self._user_of_digest = {record.digest: record.user for record in records}
        self._seen = self._signature()

    def user_of(self, token: str) -> str | None:
        """Return the user whose token this is, or None. A damaged file lets nobody in."""
        signature = self._signature()
        if signature != self._seen:
            self._reload()
            self._seen = signature
        if len(token) > _MAX_TOKEN_CHARS:
            return None
        # A digest tells nothing of near misses, so how long the look-up takes tells nothing.
        return self._user_of_digest.get(digest_of(token))

    def _reload(self) -> None:
        try:
            records = read_tokens(self._path)
        except ConfigError as error:
            logger.error("nobody is let in: %s", error)
            records = []
        self._user_of_digest = {record.digest: record.user for record in records}

    def _signature(self) -> tuple[int, ...]:
        try:
            status = self._path.stat()
        except OSError:
            return ()
        return (status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode)


def _locked(path: Path) -> FileLock:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"The folder {path.parent} cannot be made ({error.strerror}).") from None
    return FileLock(path.with_name(path.name + ".lock"), timeout=10)


def _read_if_there(path: Path) -> list[TokenRecord]:
    return read_tokens(path) if path.exists() else []


def _write(path: Path, records: Sequence[TokenRecord]) -> None:
    temporary = ""
    try:
        # mkstemp creates the file with mode 0600; a reader sees the old file or the new one.
        handle, temporary = tempfile.mkstemp(prefix="tokens-", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"version": 1, "tokens": [asdict(record) for record in records]}, file)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
        raise ConfigError(f"The token file {path} cannot be written ({error.strerror}).") from None
