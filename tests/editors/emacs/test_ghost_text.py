"""`infill-mode` in a real Emacs, with the real server and the embedded model."""

import pytest

from .batch import Emacs

pytestmark = pytest.mark.e2e

SOURCE = """def add(a: int, b: int) -> int:
    return a + b


def total(numbers: list[int]) -> int:
    result = 0
    for number in numbers:
        result += number
"""
EAGER = {"mode": "line", "minConfidence": 0, "deadlineMs": 60_000, "afterDeletion": True}


def test_suggestions_are_shown_typed_through_accepted_and_dismissed(emacs: Emacs) -> None:
    told = emacs.run("try_ghost_text.el", SOURCE, **EAGER)
    offered = told["offered"]
    assert offered.strip() and told["drawn"] == offered
    assert told["unchanged"] == SOURCE + "    return "
    assert told["typed-through"] == offered[2:]
    assert told["requests-for-it"] == 0
    length = told["word-length"]
    assert told["after-word"] == SOURCE + "    return " + offered[: 2 + length]
    assert (told["rest"] or "") == offered[2 + length :]
    assert told["accepted"] == SOURCE + "    return " + offered
    assert told["cursor-at-end"] is True
    assert told["shown-after"] is False
    assert told["after-dismissing"] is told["after-moving"] is told["after-typing-else"] is None
    assert told["grown"] is told["undone"] is told["fast"] is True
    assert told["changes-sent"] is True
    assert told["after-off"] is None and told["hooks"] is False
    assert told["exit-status"] == 0
