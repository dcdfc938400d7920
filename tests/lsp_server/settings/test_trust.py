"""What a project's file may set: never a secret or a recording, and hardly anything untrusted."""

from typing import Any

import pytest

from lsp_server.settings.schema import NAMES, RULES, ServerSettings
from lsp_server.settings.trust import allow_for_project

STRICTER: dict[str, Any] = {
    "enabled": False,
    "disabled_languages": frozenset({"sql"}),
    "exclude": ("*.sql",),
}
EVERYTHING: dict[str, Any] = {
    **{name: getattr(ServerSettings(), name) for name in RULES},
    **STRICTER,
    "engine_url": "http://elsewhere",
    "engine_token": "s3cret",
    "record": "/s3cret",
}


def test_trusted_it_sets_all_but_what_is_the_users_own() -> None:
    values, problems = allow_for_project(EVERYTHING, is_trusted=True)
    never = ("engine.tokenEnv", "engine.caFile", "record", "log.level")
    users_own = {NAMES[key] for key in (*never, "engine.token")}
    assert set(EVERYTHING) - set(values) == users_own
    assert len(problems) == 2
    assert all(f'"{key}"' in problems[1] for key in never)


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_token_is_refused_by_name_and_with_a_better_place(is_trusted: bool) -> None:
    values, (problem,) = allow_for_project({"engine_token": "s3cret"}, is_trusted)
    assert values == {}
    assert '"engine.token" can not be set by a project' in problem
    assert "infill-ls engine login" in problem and "engine.tokenEnv" in problem
    assert "s3cret" not in problem


def test_untrusted_it_can_only_do_less() -> None:
    values, problems = allow_for_project(EVERYTHING, is_trusted=False)
    assert values == STRICTER
    assert len(problems) == 3
    assert '"workspaceTrusted": true' in problems[2]
    for key in ("engine.url", "engine.kind", "engine.model"):
        assert f'"{key}"' in problems[2]
    assert "s3cret" not in " ".join(problems) and "elsewhere" not in " ".join(problems)


@pytest.mark.parametrize("name", sorted(set(RULES) - set(STRICTER)))
def test_untrusted_nothing_else_is_set(name: str) -> None:
    assert allow_for_project({name: EVERYTHING[name]}, is_trusted=False).values == {}


def test_untrusted_it_does_not_switch_on() -> None:
    assert allow_for_project({"enabled": True}, is_trusted=False).values == {}
    assert allow_for_project({"enabled": True}, is_trusted=True).values == {"enabled": True}


def test_nothing_to_say_about_nothing() -> None:
    assert allow_for_project({}, is_trusted=False) == ({}, ())
