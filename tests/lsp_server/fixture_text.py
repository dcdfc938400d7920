"""Reads the text fixtures of cases and scenarios: documents with a cursor, answers, expectations.

    # a comment, before the first case or anywhere among the keys
    === the name of a case
    language: python
    --- document
    print(‸)
    --- answer
    x)
    --- shown
    x

What cannot be seen is written with a sign: `·` a blank (needed at a line's end only), `→` a tab,
`␍` a CR, `␀` a NUL. A document ends with a line ending, all other sections without.
"""

from dataclasses import dataclass
from pathlib import Path

from lsp_server.context import FillMode

CURSOR = "‸"
_SIGNS = str.maketrans({"·": " ", "→": "\t", "␍": "\r", "␀": "\0"})


@dataclass(frozen=True)
class Fixture:
    """One case: its keys, and its sections in order, of which several may have one name."""

    file_name: str
    name: str
    keys: dict[str, str]
    sections: tuple[tuple[str, str], ...]

    @property
    def prefix(self) -> str:
        return self.document.partition(CURSOR)[0]

    @property
    def suffix(self) -> str:
        return self.document.partition(CURSOR)[2]

    @property
    def document(self) -> str:
        return self.section("document") + "\n"

    @property
    def mode(self) -> FillMode:
        return "block" if self.keys.get("mode") == "block" else "line"

    def section(self, name: str) -> str:
        """Return the section's text; raises ValueError unless there is exactly one."""
        (text,) = self.all_of(name)
        return text

    def all_of(self, name: str) -> list[str]:
        return [text for section, text in self.sections if section == name]


def read_fixtures(folder: Path) -> list[Fixture]:
    """Read every case of every .txt file in `folder`, in the order of names.

    Raises:
        ValueError: a case without a cursor, with a key or section of no known name, or a name that
            comes twice.
    """
    fixtures = [fixture for path in sorted(folder.glob("*.txt")) for fixture in _read(path)]
    names = [fixture.name for fixture in fixtures]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"These names come twice: {sorted(twice)}.")
    return fixtures


def _read(path: Path) -> list[Fixture]:
    _, *cases = path.read_text(encoding="utf-8").split("\n=== ")
    return [_fixture(path.name, case) for case in cases]


def _fixture(file_name: str, case: str) -> Fixture:
    head, *parts = case.removesuffix("\n").removesuffix("\n").split("\n--- ")
    name, *lines = head.split("\n")
    keys = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    sections: list[tuple[str, str]] = []
    for part in parts:
        title, _, text = part.partition("\n")
        sections.append((title, text.translate(_SIGNS)))
    fixture = Fixture(file_name, name, keys, tuple(sections))
    if fixture.document.count(CURSOR) != 1:
        raise ValueError(f'Case "{name}" in {file_name} must have one {CURSOR} in its document.')
    return fixture
