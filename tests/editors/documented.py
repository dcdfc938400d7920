"""The configuration blocks of docs/editors.md: found by heading and language.

Knows nothing of what they configure.
"""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "editors.md"


def blocks(language: str) -> dict[str, list[str]]:
    """Return the page's code blocks in `language`, by the heading they stand under."""
    found: dict[str, list[str]] = {}
    for section in re.split(r"(?m)^## ", PAGE.read_text(encoding="utf-8"))[1:]:
        heading = section.partition("\n")[0]
        here = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", section)
        if here:
            found[heading] = here
    return found
