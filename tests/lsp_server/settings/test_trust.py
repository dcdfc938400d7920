"""What a project's file may set: never a secret or a recording, and hardly anything untrusted."""

from typing import Any

import pytest

from lsp_server.settings.schema import RULES, ServerSettings
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
    assert set(EVERYTHING) - set(values) == {"engine_token", "record", "log_level"}
    assert len(problems) == 1
    assert all(f'"{key}"' in problems[0] for key in ("engine.token", "record", "log.level"))


def test_untrusted_it_can_only_do_less() -> None:
    values, problems = allow_for_project(EVERYTHING, is_trusted=False)
    assert values == STRICTER
    assert len(problems) == 2
    assert '"engine.url"' in problems[1] and '"workspaceTrusted": true' in problems[1]
    assert "s3cret" not in " ".join(problems) and "elsewhere" not in " ".join(problems)


@pytest.mark.parametrize("name", sorted(set(RULES) - set(STRICTER)))
def test_untrusted_nothing_else_is_set(name: str) -> None:
    assert allow_for_project({name: EVERYTHING[name]}, is_trusted=False).values == {}


def test_untrusted_it_does_not_switch_on() -> None:
    assert allow_for_project({"enabled": True}, is_trusted=False).values == {}
    assert allow_for_project({"enabled": True}, is_trusted=True).values == {"enabled": True}


def test_nothing_to_say_about_nothing() -> None:
    assert allow_for_project({}, is_trusted=False) == ({}, ())
