"""Settings: every entry that is not used is named, and never spoils the others."""

import pytest

from lsp_server.settings import KNOWN_KEYS, ServerSettings, parse_settings
from lsp_server.settings.reading import MAX_PROBLEMS, read_values


def test_nothing_given_is_the_default() -> None:
    assert parse_settings(None) == (ServerSettings(), ())
    assert parse_settings({}) == (ServerSettings(), ())
    assert parse_settings([]) == (ServerSettings(), ())  # Neovim's empty table


@pytest.mark.parametrize(
    "given",
    [
        {"deadlineMs": 200, "engine": {"url": "http://127.0.0.1:1/"}},
        {"deadlineMs": 200, "engine.url": "http://127.0.0.1:1"},
        {"infill": {"deadlineMs": 200, "engine": {"url": "http://127.0.0.1:1"}}},
    ],
)
def test_nested_dotted_and_under_one_key(given: dict[str, object]) -> None:
    expected = ServerSettings(deadline_ms=200, engine_url="http://127.0.0.1:1")
    assert parse_settings(given) == (expected, ())


def test_what_is_not_mentioned_stays() -> None:
    base = ServerSettings(seed=7, mode="line")
    assert parse_settings({"seed": 8}, base)[0] == ServerSettings(seed=8, mode="line")


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("enabled", "yes", "true or false"),
        ("deadlineMs", 10, "from 50 to 60000"),
        ("deadlineMs", True, "from 50 to 60000"),
        ("deadlineMs", 100.5, "from 50 to 60000"),
        ("minConfidence", 1.5, "from 0 to 1"),
        ("minConfidence", True, "from 0 to 1"),
        ("mode", "lines", '"auto", "line", "block"'),
        ("disabledLanguages", "python", "list"),
        ("disabledLanguages", [1], "list"),
        ("engine.url", "ftp://x", "http://"),
        ("engine.token", 5, "string"),
        ("engine", "http://x", "unknown"),
        ("exclude", "*.sql", "list"),
        ("mode", {"a": 1}, '"auto"'),
        ("minConfidence", float("nan"), "from 0 to 1"),
    ],
)
def test_a_wrong_value_is_named_and_the_rest_works(key: str, value: object, allowed: str) -> None:
    settings, problems = parse_settings({key: value, "seed": 3})
    assert settings == ServerSettings(seed=3)
    assert len(problems) == 1
    assert f'"{key}"' in problems[0] and allowed in problems[0]


def test_an_unknown_key_is_named_with_the_known_ones() -> None:
    settings, problems = parse_settings({"deadlineMS": 100})
    assert settings == ServerSettings()
    assert '"deadlineMS"' in problems[0]
    assert all(key in problems[0] for key in KNOWN_KEYS)


def test_no_problem_repeats_a_value() -> None:
    _, problems = parse_settings({"engine.token": ["s3cret"], "tokne": "s3cret"})
    assert len(problems) == 2
    assert "s3cret" not in " ".join(problems)


@pytest.mark.parametrize("given", [["x"], "x", 3])
def test_no_object_changes_nothing(given: object) -> None:
    settings, problems = parse_settings(given)
    assert settings == ServerSettings()
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("deadlineMS", "deadlineMs"),
        ("disabledLanguage", "disabledLanguages"),
        ("engine.urls", "engine.url"),
        ("debounce.min", "debounce.minMs"),
    ],
)
def test_the_nearest_name_is_told(typed: str, meant: str) -> None:
    assert f'Did you mean "{meant}"?' in read_values({typed: 1}).problems[0]


def test_no_name_is_told_when_none_is_near() -> None:
    assert "Did you mean" not in read_values({"zzz": 1}).problems[0]


def test_a_name_is_shown_short_and_on_one_line() -> None:
    (problem,) = read_values({"a\n\x1b" + "b" * 5000: 1}).problems
    assert "\n" not in problem and "\x1b" not in problem
    assert "b" * 100 not in problem


def test_many_wrong_entries_are_counted_not_listed() -> None:
    reading = read_values({f"wrong{idx}": idx for idx in range(1000)} | {"seed": 4})
    assert reading.values == {"seed": 4}
    assert len(reading.problems) == MAX_PROBLEMS + 1
    assert str(1000 - MAX_PROBLEMS) in reading.problems[-1]


def test_nesting_without_end() -> None:
    nested: object = 1
    for _ in range(50_000):
        nested = {"a": nested}
    reading = read_values({"engine": nested, "seed": 4})
    assert reading.values == {"seed": 4}
    assert '"engine.a"' in reading.problems[0]


def test_a_list_given_twice_is_the_later() -> None:
    base = ServerSettings(exclude=("a",))
    assert parse_settings({"exclude": ["b"]}, base)[0].exclude == ("b",)
