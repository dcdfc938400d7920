"""The server's settings: their meaning, range and default, and how they are read from a client.

Read from `initializationOptions` and `workspace/didChangeConfiguration`. A wrong or unknown entry
is reported by name and never spoils the others. Knows nothing of LSP's types or of who asks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

ModePolicy = Literal["auto", "line", "block"]
MODE_POLICIES: tuple[ModePolicy, ...] = ("auto", "line", "block")


class _Wrong(Exception):
    """A value outside its range; the message says what is allowed."""


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("true or false")
    return value


def _integer(lowest: int, highest: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise _Wrong(f"a whole number from {lowest} to {highest}")
        return value

    return parse


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _Wrong("a number from 0 to 1")
    return float(value)


def _mode_policy(value: object) -> ModePolicy:
    for policy in MODE_POLICIES:
        if value == policy:
            return policy
    raise _Wrong("one of " + ", ".join(f'"{policy}"' for policy in MODE_POLICIES))


def _language_ids(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _Wrong('a list of language identifiers, such as ["markdown"]')
    return frozenset(value)


def _engine_url(value: object) -> str:
    if not isinstance(value, str) or (value and not value.startswith(("http://", "https://"))):
        raise _Wrong('"" or an address that starts with http:// or https://')
    return value.rstrip("/")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Wrong("a string")
    return value


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What a user can choose. The JSON key of each field is in quotes.

    Attributes:
        enabled: "enabled": whether anything is suggested at all. Default true.
        disabled_languages: "disabledLanguages": LSP language identifiers in which nothing is
            suggested. Default none.
        mode: "mode": "line" suggests to the line's end, "block" whole blocks, "auto" a block in an
            empty body and a line elsewhere. Default "auto".
        deadline_ms: "deadlineMs": milliseconds, 50 to 60000, after which only the text that has
            settled so far is suggested. Default 3000.
        line_max_tokens: "lineMaxTokens": tokens, 1 to 256, of a line. Default 48.
        block_max_tokens: "blockMaxTokens": tokens, 1 to 1024, of a block. Default 128.
        min_confidence: "minConfidence": probability, 0 to 1, that what is suggested while typing is
            right; what the model is less sure of is left out. 0 shows everything, and so does
            asking by hand. Default 0.5.
        max_document_chars: "maxDocumentChars": characters, 1000 to 50000000, of the longest
            document in which anything is suggested. Default 2000000.
        seed: "seed": 0 to 2147483647; same seed, same text. Default 0.
        engine_url: "engine.url": address of an engine elsewhere; empty starts and shares the local
            one. Default empty.
        engine_token: "engine.token": bearer token for `engine_url`. Default empty.
    """

    enabled: bool = True
    disabled_languages: frozenset[str] = frozenset()
    mode: ModePolicy = "auto"
    deadline_ms: int = 3000
    line_max_tokens: int = 48
    block_max_tokens: int = 128
    min_confidence: float = 0.5
    max_document_chars: int = 2_000_000
    seed: int = 0
    engine_url: str = ""
    engine_token: str = ""


_READERS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "enabled": ("enabled", _boolean),
    "disabledLanguages": ("disabled_languages", _language_ids),
    "mode": ("mode", _mode_policy),
    "deadlineMs": ("deadline_ms", _integer(50, 60_000)),
    "lineMaxTokens": ("line_max_tokens", _integer(1, 256)),
    "blockMaxTokens": ("block_max_tokens", _integer(1, 1024)),
    "minConfidence": ("min_confidence", _share),
    "maxDocumentChars": ("max_document_chars", _integer(1000, 50_000_000)),
    "seed": ("seed", _integer(0, 2**31 - 1)),
    "engine.url": ("engine_url", _engine_url),
    "engine.token": ("engine_token", _text),
}
"""JSON key → field, and what turns the JSON value into the field's or raises _Wrong."""
KNOWN_KEYS = tuple(_READERS)


def parse_settings(
    given: object, base: ServerSettings | None = None
) -> tuple[ServerSettings, tuple[str, ...]]:
    """Read settings from a client's JSON.

    Args:
        given: an object with the keys of `ServerSettings`, nested ({"engine": {"url": ...}}) or
            dotted ({"engine.url": ...}), or with all of them under the one key "infill". None
            changes nothing.
        base: where fields that are not given come from; the defaults when None.

    Returns:
        The settings, and one sentence for each entry that was not used: it names the entry and
        what is allowed, never repeating the value, which may be a secret.
    """
    settings = base or ServerSettings()
    if given is None or given == []:
        # Lua has one kind of empty table, and Neovim sends it as a list.
        return settings, ()
    if not isinstance(given, Mapping):
        return settings, ("The settings are not an object; they were left as they are.",)
    nested = given.get("infill")
    content = nested if isinstance(nested, Mapping) else given
    problems: list[str] = []
    changes: dict[str, Any] = {}
    for key, value in _flatten(content).items():
        if key not in _READERS:
            known = ", ".join(KNOWN_KEYS)
            problems.append(f'Setting "{key}" is unknown and was ignored; known are {known}.')
            continue
        name, read = _READERS[key]
        try:
            changes[name] = read(value)
        except _Wrong as wrong:
            problems.append(f'Setting "{key}" must be {wrong}; it was left as it was.')
    return replace(settings, **changes), tuple(problems)


def _flatten(given: Mapping[Any, Any], parent: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in given.items():
        dotted = f"{parent}{key}"
        if isinstance(value, Mapping):
            flat.update(_flatten(value, f"{dotted}."))
        else:
            flat[dotted] = value
    return flat
