"""Somebody types real code: keystrokes with human intervals, slips of the finger and pauses.

Knows nothing of editors or servers.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

_WITHIN_WORD_S, _BETWEEN_WORDS_S = (
    0.12,
    0.28,
)  # medians of somebody who types about 60 words a minute
_SPREAD = 0.45  # of the intervals' logarithm
_SLIP_SHARE = 0.03
_PAUSE_SHARE, _PAUSE_S = 0.02, 1.5  # reading what stands there
_FASTEST_S = 0.03


@dataclass(frozen=True, slots=True)
class Keystroke:
    """One change and the time since the one before.

    Attributes:
        wait_s: seconds.
        inserted: a character, or "" where the one before the cursor is deleted.
    """

    wait_s: float
    inserted: str


def keystrokes(text: str, seed: int) -> Iterator[Keystroke]:
    """Type `text`, now and then a wrong letter that is taken back at once."""
    pick = random.Random(seed)
    before = ""
    for char in text:
        if char.isalpha() and pick.random() < _SLIP_SHARE:
            yield Keystroke(_interval(pick, before, char), pick.choice("etaoinshrdlu"))
            yield Keystroke(_interval(pick, "", " "), "")
            before = " "
        yield Keystroke(_interval(pick, before, char), char)
        before = char


def _interval(pick: random.Random, before: str, char: str) -> float:
    is_within = before.isalnum() and char.isalnum()
    median = _WITHIN_WORD_S if is_within else _BETWEEN_WORDS_S
    interval_s = median * pick.lognormvariate(0.0, _SPREAD)
    if not is_within and pick.random() < _PAUSE_SHARE:
        interval_s += _PAUSE_S
    return max(_FASTEST_S, interval_s)
