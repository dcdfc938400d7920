"""The schema: every setting's range and default, and who may set it."""

import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from lsp_server.settings.reading import read_values
from lsp_server.settings.schema import KNOWN_KEYS, NAMES, RULES, ServerSettings

LONG = "x" * 100_000
RANGES: dict[str, tuple[list[Any], list[Any]]] = {  # key: allowed values, refused values
    "enabled": ([True, False], [1, "true", None]),
    "disabledLanguages": ([[], ["python"]], ["python", [1], {"python": True}, None]),
    "mode": (["auto", "line", "block"], ["", "Auto", 1]),
    "deadlineMs": ([50, 60_000], [49, 60_001, 100.5, "100", True]),
    "lineMaxTokens": ([1, 256], [0, 257, True]),
    "blockMaxTokens": ([1, 1024], [0, 1025, True]),
    "minConfidence": ([0, 1, 0.5], [-0.1, 1.1, float("inf"), "0.5", True]),
    "maxDocumentChars": ([1000, 50_000_000], [999, 50_000_001]),
    "seed": ([0, 2**31 - 1], [-1, 2**31, 10**400]),
    "engine.url": (
        ["", "http://127.0.0.1:1", "https://host/path"],
        ["host:1", "ftp://host", "http://", "http://a b", "http://a\nb", "http://" + LONG, 1],
    ),
    "engine.kind": (["infill", "openai"], ["", "vllm", 1, None]),
    "engine.model": (["", "org/model:7b"], [1, None, LONG]),
    "engine.tokenEnv": (["", "TEAM_TOKEN"], ["A B", "1A", "$A", "A=b", 1, "A" * 201]),
    "engine.caFile": (["", "/etc/ca.pem", "~/ca.pem"], ["ca.pem", 1, "/" + LONG]),
    "engine.token": (["", "abc"], [1, None, LONG]),
    "debounce.minMs": ([0, 5000], [-1, 5001, 1.5]),
    "debounce.maxMs": ([0, 5000], [-1, 5001, 1.5]),
    "inComments": ([True, False], [0, "no"]),
    "inStrings": ([True, False], [0, "no"]),
    "afterDeletion": ([True, False], [0, "no"]),
    "speculate": ([True, False], [0, "no"]),
    "reuseTyped": ([True, False], [0, "no"]),
    "exclude": (
        [[], ["*.sql", "/a/**/b", "\\!a", "a b", "é"], [""]],
        ["*.sql", [1], ["!a"], [" !a"], ["\u00a0!a"], ["a\n!b"], ["a\u2028!b"], ["a" * 201],
         ["a"] * 501],
    ),
    "useGitignore": ([True, False], [0, "no"]),
    "completionFallback": ([True, False], [0, "no"]),
    "rewrite.maxTokens": ([1, 1024], [0, 1025]),
    "context.maxTokens": ([0, 32_768], [-1, 32_769]),
    "context.otherFiles": ([True, False], [0, "no"]),
    "record": (["", "/tmp/a.jsonl", "~/a.jsonl"], ["a.jsonl", "../a", 1, "/" + LONG]),
    "log.level": (["off", "error", "info", "debug"], ["warning", "", 1]),
}  # fmt: skip
ALLOWED = [(key, value) for key, (allowed, _) in RANGES.items() for value in allowed]
REFUSED = [(key, value) for key, (_, refused) in RANGES.items() for value in refused]


def short(value: object) -> str:
    return repr(value)[:20]


def test_every_setting_is_here() -> None:
    assert set(RANGES) == set(KNOWN_KEYS) == set(NAMES)
    assert set(RULES) == set(ServerSettings.model_fields) == set(NAMES.values())


@pytest.mark.parametrize(("key", "value"), ALLOWED, ids=short)
def test_allowed(key: str, value: Any) -> None:
    values, problems = read_values({key: value})
    assert problems == ()
    read = values[NAMES[key]]
    assert (sorted(read) if isinstance(value, list) else read) == (
        sorted(value) if isinstance(value, list) else value
    )


@pytest.mark.parametrize(("key", "value"), REFUSED, ids=short)
def test_refused(key: str, value: Any) -> None:
    values, problems = read_values({key: value, "speculate" if key != "speculate" else "seed": 0})
    assert NAMES[key] not in values
    assert any(f'"{key}" must be' in problem for problem in problems)


@pytest.mark.parametrize("key", KNOWN_KEYS)
def test_a_default_is_in_its_range(key: str) -> None:
    default = getattr(ServerSettings(), NAMES[key])
    given = list(default) if isinstance(default, tuple | frozenset) else default
    assert read_values({key: given}).problems == ()


def test_settings_can_not_be_changed() -> None:
    settings = ServerSettings()
    with pytest.raises(ValidationError):
        settings.seed = 1  # pyright: ignore
    assert hash(settings) == hash(ServerSettings())


def test_the_token_is_not_in_what_is_printed() -> None:
    assert "s3cret" not in repr(ServerSettings(engine_token="s3cret"))


def test_what_a_project_may_set() -> None:
    """Written out once more: to change a right must be a decision, not a slip."""
    rights = {rule.key: rule.project for rule in RULES.values()}
    assert {key for key, right in rights.items() if right == "never"} == {
        "engine.token",
        "engine.tokenEnv",
        "engine.caFile",
        "record",
        "log.level",
    }
    assert {key for key, right in rights.items() if right == "stricter"} == {
        "enabled",
        "disabledLanguages",
        "exclude",
    }
    assert all(dataclasses.is_dataclass(rule) for rule in RULES.values())
