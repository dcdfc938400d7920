"""Scenarios of the suggest/suppress suite: a document, a moment and the model's answer.

Read from scenarios/*.txt, in the form that fixture_text.py reads. Sections: `document`, `answer`
and, where it matters, `shown`. Keys: `path` (in the workspace), `language`, `expect` (something or
nothing), and, when they are not the usual: `mode` (line or block; auto), `trigger` (invoked;
typed), `last` (deleted; typed: what the user did last), `access` (read-only), `menu` (text of the
item that is selected in the completion menu, in place of the word before the cursor), `gitignore`
(content of the workspace's .gitignore), `settings` (the client's, as JSON).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .fixture_text import read_fixtures

FOLDER = Path(__file__).parent / "scenarios"
_KEYS = {
    "path",
    "language",
    "expect",
    "mode",
    "trigger",
    "last",
    "access",
    "menu",
    "gitignore",
    "settings",
}


@dataclass(frozen=True)
class Scenario:
    """One moment at which the server must speak or be quiet."""

    name: str
    path: str
    language_id: str
    prefix: str
    suffix: str
    answer: str
    is_to_show: bool
    exactly: str | None
    mode: str
    is_invoked: bool
    is_after_deletion: bool
    is_read_only: bool
    menu_text: str | None
    gitignore: str | None
    settings: dict[str, Any]

    def is_met_by(self, shown: str | None) -> bool:
        """Say whether `shown`, None or "" for nothing, is what was to happen."""
        if not self.is_to_show:
            return not shown
        return bool(shown) and self.exactly in (None, shown)


def read_scenarios() -> list[Scenario]:
    """Read them all; raises ValueError for one that cannot be understood."""
    scenarios: list[Scenario] = []
    for fixture in read_fixtures(FOLDER):
        keys = fixture.keys
        if not keys.keys() <= _KEYS or keys["expect"] not in ("something", "nothing"):
            raise ValueError(f'Scenario "{fixture.name}" has keys or values of no known name.')
        scenarios.append(
            Scenario(
                name=fixture.name,
                path=keys["path"],
                language_id=keys["language"],
                prefix=fixture.prefix,
                suffix=fixture.suffix,
                answer=fixture.section("answer"),
                is_to_show=keys["expect"] == "something",
                exactly=next(iter(fixture.all_of("shown")), None),
                mode=keys.get("mode", "auto"),
                is_invoked=keys.get("trigger") == "invoked",
                is_after_deletion=keys.get("last") == "deleted",
                is_read_only=keys.get("access") == "read-only",
                menu_text=keys.get("menu"),
                gitignore=keys.get("gitignore"),
                settings=json.loads(keys.get("settings", "{}")),
            )
        )
    return scenarios
