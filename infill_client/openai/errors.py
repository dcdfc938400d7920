"""What a refusal of the server means, as an error of the contract's tree.

A server's own words are read to tell errors apart and never passed on: some repeat the request,
which is code. Knows nothing of requests.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from infill_client.address import EngineAddress
from infill_engine.api import (
    ConfigError,
    EngineBusy,
    EngineUnavailable,
    InfillError,
    RequestInvalid,
    RequestTooLarge,
)

LONGEST_WAIT_S = 60.0
"""A server that asks for more is asked again earlier: its clock or its words may be wrong."""
_USUAL_WAIT_S = 1.0
_MAX_NAMES = 10
_CONTEXT = re.compile(
    r"context[ _](length|window|size)|maximum context|max_model_len|prompt is too long"
    r"|too many tokens|exceeds? .{0,40}(context|token)|longer than .{0,40}token",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(?:maximum context length (?:is|of)|available context size) \(?(\d{1,12})", re.IGNORECASE
)
_LEAST = re.compile(r"at least \d", re.IGNORECASE)
"""vLLM counts no further than to the limit: the prompt may be ten times as long."""
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")


class ContextTooLong(RequestTooLarge):
    """The prompt is longer than the model's context; this share of it may fit, 0 to 1."""

    def __init__(self, message: str, fitting_share: float) -> None:
        super().__init__(message)
        self.fitting_share = fitting_share


class BusyFor(EngineBusy):
    """The server asks to be left alone for `wait_s` seconds."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class BrokenOff(EngineUnavailable):
    """The answer ended before its end; asking once more may help."""


class NotOpenAi(EngineUnavailable):
    """Something else answers there, or the server lacks this part of the API."""


def error_of_status(
    status_code: int,
    headers: Mapping[str, str],
    body: bytes,
    address: EngineAddress,
    model: str,
) -> InfillError:
    """Return the error that an answer other than 200 stands for."""
    url = address.url
    if status_code in (401, 403):
        got = "did not accept the token" if address.token else "wants a token and got none"
        return ConfigError(
            f"{url} {got} (HTTP {status_code}). Store the right one with `infill-ls engine login "
            f"{url}`, or name the environment variable that holds it in engine.tokenEnv."
        )
    if status_code == 429 or (status_code == 503 and "retry-after" in headers):
        wait_s = _seconds(headers.get("retry-after", ""))
        words = f"{url} has too much to do (HTTP {status_code})."
        return BusyFor(f"{words} It is asked again in {wait_s:.0f} s.", wait_s)
    if status_code == 404 and _says(body, re.compile("model", re.IGNORECASE)):
        return ConfigError(
            f"{url} has no model {shown(model)}. `infill-ls doctor` names those it has; choose one "
            "with engine.model."
        )
    if status_code == 413 or (status_code in (400, 422, 500) and _says(body, _CONTEXT)):
        return ContextTooLong(
            f"The request is longer than what {shown(model)} at {url} can read (HTTP "
            f"{status_code}), even after it was cut. Set context.maxTokens lower or select less.",
            _fitting_share(body),
        )
    if status_code in (400, 422):
        return RequestInvalid(
            f"{url} refused the request (HTTP {status_code}{_kind(body)}). `infill-ls doctor` "
            "finds out again what it can do."
        )
    if status_code == 500:
        return InfillError(
            f"{url} failed on this request (HTTP 500{_kind(body)}); its own log says why."
        )
    if status_code in (502, 503, 504):
        return EngineUnavailable(f"{url} does not serve its model now (HTTP {status_code}).")
    return not_openai(address, f"HTTP {status_code}")


def error_in_answer(error: Any, address: EngineAddress, model: str) -> InfillError:
    """Return the error that a server reports after its answer has begun."""
    code = error.get("code") if isinstance(error, dict) else None
    status_code = code if isinstance(code, int) and 400 <= code < 600 else 500
    return error_of_status(status_code, {}, json.dumps(error).encode(), address, model)


def not_openai(address: EngineAddress, got: str) -> NotOpenAi:
    """Return the error for something else that answers at the address."""
    return NotOpenAi(
        f"What answers at {address.url} does not speak OpenAI's HTTP API ({got}). Give engine.url "
        "up to the part that ends with /v1; for an engine of infill-ls, engine.kind is "
        '"infill".'
    )


def broken_off(address: EngineAddress) -> BrokenOff:
    """Return the error for an answer that ended before its end."""
    return BrokenOff(f"{address.url} broke off in the midst of an answer; its own log says why.")


def unknown_model(address: EngineAddress, model: str, names: Sequence[str]) -> ConfigError:
    """Return the error for a model that the server does not have, or for a choice to be made."""
    if not names:
        return ConfigError(f"{address.url} has no model. Load one there first.")
    known = ", ".join(shown(name) for name in names[:_MAX_NAMES])
    known += f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    if not model:
        return ConfigError(
            f"{address.url} has {len(names)} models; name one of them in engine.model: {known}."
        )
    return ConfigError(
        f"{address.url} has no model {shown(model)}; name one that it has in engine.model: {known}."
    )


def shown(name: str) -> str:
    """Return a name that someone else chose, fit to stand in a message."""
    printable = "".join(char if char.isprintable() else "?" for char in name[:100])
    return repr(printable + "…" * (len(name) > 100))


def _says(body: bytes, what: re.Pattern[str]) -> bool:
    return what.search(body[:20_000].decode("utf-8", "replace")) is not None


def _fitting_share(body: bytes) -> float:
    """Return the share of a prompt that fits, from the numbers in a refusal; else a half."""
    words = body[:20_000].decode("utf-8", "replace")
    limit = None if _LEAST.search(words) else _LIMIT.search(words)
    asked = max((int(number) for number in re.findall(r"\d{1,12}", words)), default=0)
    if limit is None or asked <= int(limit[1]):
        return 0.5
    return max(0.02, 0.9 * int(limit[1]) / asked)


def _kind(body: bytes) -> str:
    """Return the error's type, one word, where the server gives it; it is never its message."""
    try:
        error = json.loads(body)
        error = error.get("error", error)
        kind = error.get("type") or error.get("code")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return f", {kind}" if isinstance(kind, str) and _WORD.fullmatch(kind) else ""


def _seconds(retry_after: str) -> float:
    """Read a `Retry-After`, seconds or a date, as seconds from 1 to `LONGEST_WAIT_S`."""
    try:
        wait_s = float(retry_after)
    except ValueError:
        try:
            then = parsedate_to_datetime(retry_after)
            wait_s = (then - datetime.now(UTC if then.tzinfo else None)).total_seconds()
        except (TypeError, ValueError):
            return _USUAL_WAIT_S
    if wait_s != wait_s:  # NaN
        return _USUAL_WAIT_S
    return min(max(wait_s, _USUAL_WAIT_S), LONGEST_WAIT_S)
