"""How the typist of all editors types, so that their figures can be compared.

Knows nothing of any editor.
"""

from benchmarks.lsp_typing import Keystroke, keystrokes

MAX_CHARS_TYPED = 40
"""Of a line; the rest is what ghost text may have offered."""
READING_S = 1.0
"""At the end of a line."""
BEFORE_FOLLOWING_S = 4.0
"""How long ghost text to type along is waited for."""
FOLLOWED_CHARS = 12
"""How much of it is typed along."""
COLD_LIMIT_S = 60.0
"""How long the first ghost text of a cold engine is waited for."""


def exactly(text: str, seed: int) -> list[Keystroke]:
    """Type `text` without slips, at a person's pace."""
    paces = [key.wait_s for key in keystrokes(text, seed) if key.inserted]
    return [Keystroke(wait_s, char) for wait_s, char in zip(paces, text, strict=False)]
