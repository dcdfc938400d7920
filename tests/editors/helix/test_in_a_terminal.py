"""Helix with the configuration of docs/editors.md: its menu has the suggestion, and it rewrites."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ...installed import installed_or_skip
from ..debian_sid import sid_program
from ..documented import blocks
from ..own_engine import own_engine
from ..terminal import Terminal, open_terminal

pytestmark = pytest.mark.e2e

SOURCE = """def total(numbers: list[int]) -> int:
    result = 0
    for number in numbers:
        result += number
"""
REPEAT_S = 3.0
OLD = "    result = 0\n"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A user of its own, with an engine of its own."""
    with own_engine(tmp_path) as variables:
        yield {
            **variables,
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        }


def test_the_menu_and_the_code_action(environment: dict[str, str], tmp_path: Path) -> None:
    program = installed_or_skip(lambda: sid_program("hx", "usr/bin/hx"))
    environment["HELIX_RUNTIME"] = str(program.parents[1] / "lib/hx/runtime")
    source, languages = tmp_path / "a.py", tmp_path / "xdg/helix/languages.toml"
    source.write_text(SOURCE, encoding="utf-8")
    languages.parent.mkdir(parents=True)
    languages.write_text(blocks("toml")["Helix"][0], encoding="utf-8")
    with open_terminal(tmp_path) as terminal:
        terminal.start(environment, str(program), str(source))
        terminal.wait_for(lambda screen: "NOR" in screen and "result += number" in screen)

        # The menu, in a new line that is indented as the one above.
        terminal.keys("2", "g", "g", "o")
        terminal.keys("-l", "return ")
        terminal.wait_for(lambda screen: "    return" in screen)
        shown = terminal.wait_for(_menu_asked_for(terminal))
        offered = next(line for line in shown.split("\n") if " text" in line)
        terminal.keys("Tab", "Enter", "Escape")
        terminal.keys("-l", ":w")
        terminal.keys("Enter")
        terminal.wait_for(lambda _: source.read_text(encoding="utf-8") != SOURCE)
        taken = source.read_text(encoding="utf-8").split("\n")[2].removeprefix("    return ")
        assert taken and taken in offered
        assert source.read_text(encoding="utf-8").replace(f"    return {taken}\n", "") == SOURCE

        # The code action on a line, and one undo.
        before = source.read_text(encoding="utf-8")
        terminal.keys("2", "g", "g", "x", "Space", "a")
        terminal.wait_for(lambda screen: "Rewrite the selection (infill-ls)" in screen)
        terminal.keys("Enter")
        terminal.wait_for(lambda screen: OLD.strip() not in screen)
        terminal.keys("u")
        terminal.wait_for(lambda screen: OLD.strip() in screen)
        terminal.keys("-l", ":w")
        terminal.keys("Enter")
        assert source.read_text(encoding="utf-8") == before
        terminal.keys("-l", ":q")
        terminal.keys("Enter")


def _menu_asked_for(terminal: Terminal) -> Callable[[str], bool]:
    """Say whether the menu is open, and ask for it again now and then.

    While the engine is loading there is nothing in it, and Helix does not say when that is over.
    """
    asked_s = -REPEAT_S

    def is_open(screen: str) -> bool:
        nonlocal asked_s
        if " text" in screen:
            return True
        if time.monotonic() - asked_s > REPEAT_S:
            asked_s = time.monotonic()
            terminal.keys("C-x")
        return False

    return is_open
