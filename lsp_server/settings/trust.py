"""What a project's file may set: its settings come with the code, from whoever wrote that.

Where a workspace is not trusted, a file can only make the server do less. Where the code or a
secret could be sent or written somewhere, no file is asked at all, or only a trusted one. Knows
nothing of files or of how trust is told.
"""

from collections.abc import Mapping
from typing import Any

from lsp_server.settings.reading import Reading
from lsp_server.settings.schema import RULES


def allow_for_project(values: Mapping[str, Any], is_trusted: bool) -> Reading:
    """Keep of a project's values those that it may set.

    Args:
        values: attribute of `ServerSettings` → valid value.
        is_trusted: whether the user trusts the workspace.

    Returns:
        The values kept, and a sentence for those that were not, by their keys.
    """
    kept: dict[str, Any] = {}
    never: list[str] = []
    only_trusted: list[str] = []
    problems: list[str] = []
    for name, value in values.items():
        rule = RULES[name]
        if rule.instead:
            problems.append(f'"{rule.key}" can not be set by a project. {rule.instead}')
        elif rule.project == "never":
            never.append(rule.key)
        elif is_trusted or (rule.project == "stricter" and is_stricter(name, value)):
            kept[name] = value
        else:
            only_trusted.append(rule.key)
    if never:
        problems.append(f"{_quoted(never)} can not be set by a project, only by the editor.")
    if only_trusted:
        problems.append(
            f"{_quoted(only_trusted)} had no effect, since the workspace is not trusted. Trust it "
            'in the editor, or give "workspaceTrusted": true in the initialization options.'
        )
    return Reading(kept, tuple(problems))


def is_stricter(name: str, value: object) -> bool:
    """Say whether a value of a "stricter" setting can only make the server do less."""
    # A list that adds up takes nothing away; of the others, only to switch off is less.
    return RULES[name].adds_up or value is False


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)
