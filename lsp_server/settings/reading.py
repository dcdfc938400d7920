"""Reads settings from a client or a file: names each entry that is wrong and keeps the rest.

No message repeats a value, which may be a secret. Knows nothing of where the entries come from.
"""

import difflib
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from pydantic import ValidationError

from lsp_server.settings.schema import KNOWN_KEYS, NAMES, RULES, ServerSettings

NUM_LEVELS = max(key.count(".") for key in KNOWN_KEYS) + 1
MAX_PROBLEMS = 8
"""Sentences for the user at a time; a file of another kind would give thousands."""
_SHOWN_KEY_CHARS = 60


class Reading(NamedTuple):
    """What was read.

    Attributes:
        values: attribute of `ServerSettings` → its valid value, for the entries given.
        problems: one sentence for each entry that was not used.
    """

    values: dict[str, Any]
    problems: tuple[str, ...]


def read_values(given: object) -> Reading:
    """Read the entries of a JSON or TOML object.

    Args:
        given: an object with the keys of the schema, nested ({"engine": {"url": ...}}) or dotted
            ({"engine.url": ...}), or with all of them under the one key "infill". None gives no
            entries.
    """
    if given is None or given == []:
        # Lua has one kind of empty table, and Neovim sends it as a list.
        return Reading({}, ())
    if not isinstance(given, Mapping):
        return Reading({}, ("The settings are not an object; they were left as they are.",))
    nested = given.get("infill")
    entries = _flatten(nested if isinstance(nested, Mapping) else given)
    known = {key: value for key, value in entries.items() if key in NAMES}
    wrong = _wrong_keys(known)
    not_used = [key for key in entries if key not in known or key in wrong]
    right = {key: value for key, value in known.items() if key not in wrong}
    settings = ServerSettings(**right)
    values = {NAMES[key]: getattr(settings, NAMES[key]) for key in right}
    problems = [_problem(key) for key in not_used[:MAX_PROBLEMS]]
    if len(not_used) > MAX_PROBLEMS:
        problems.append(f"{len(not_used) - MAX_PROBLEMS} more settings were not used.")
    return Reading(values, tuple(problems))


def parse_settings(
    given: object, base: ServerSettings | None = None
) -> tuple[ServerSettings, tuple[str, ...]]:
    """Read settings over `base`, or over the defaults.

    Args:
        given: as for `read_values`. None changes nothing.
        base: where fields that are not given come from; the defaults when None.

    Returns:
        The settings, and one sentence for each entry that was not used: it names the entry and
        what is allowed, never repeating the value.
    """
    values, problems = read_values(given)
    settings = base or ServerSettings()
    return settings.model_copy(update=values), problems


@cache
def allowed_values(key: str) -> str:
    """Say in words which values the setting `key` may have."""
    rule = RULES[NAMES[key]]
    if rule.allowed:
        return rule.allowed
    schema = ServerSettings.model_json_schema()["properties"][key]
    if "enum" in schema:
        return "one of " + ", ".join(f'"{value}"' for value in schema["enum"])
    if schema["type"] == "boolean":
        return "true or false"
    if "minimum" in schema:
        number = "a whole number" if schema["type"] == "integer" else "a number"
        return f"{number} from {schema['minimum']} to {schema['maximum']}"
    return f"a string of at most {schema['maxLength']} characters"


def _flatten(given: Mapping[Any, Any], parent: str = "", level: int = 1) -> dict[str, Any]:
    """Join nested names by dots, only as deep as names go: a file can be nested without end."""
    flat: dict[str, Any] = {}
    for key, value in given.items():
        dotted = f"{parent}{key}"
        if isinstance(value, Mapping) and level < NUM_LEVELS and dotted not in NAMES:
            flat.update(_flatten(value, f"{dotted}.", level + 1))
        else:
            flat[dotted] = value
    return flat


def _problem(key: str) -> str:
    if key in NAMES:
        return f'Setting "{key}" must be {allowed_values(key)}; it was left as it was.'
    shown = _shown(key)
    near = difflib.get_close_matches(shown.lower(), [known.lower() for known in KNOWN_KEYS], n=1)
    nearest = [known for known in KNOWN_KEYS if known.lower() in near]
    hint = f' Did you mean "{nearest[0]}"?' if nearest else ""
    return f'Setting "{shown}" is unknown and was ignored.{hint} Known are {", ".join(KNOWN_KEYS)}.'


def _shown(key: str) -> str:
    """Return a name that someone else chose, fit to stand in a message."""
    printable = "".join(char if char.isprintable() else "?" for char in key[:_SHOWN_KEY_CHARS])
    return printable + "…" * (len(key) > _SHOWN_KEY_CHARS)


def _wrong_keys(known: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        ServerSettings(**known)
    except ValidationError as error:
        wrong = {details["loc"][0] for details in error.errors(include_input=False)}
        return tuple(key for key in known if key in wrong)
    return ()
