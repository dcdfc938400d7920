"""Whole answers through the whole chain: text fixtures, many after cases in public issue trackers.

Sections: `document` with the cursor at ‸, `answer` (what the model wrote), `shown` (what is left of
it, empty for nothing), any number of `not shown` (known-bad, never to come back). Keys: `language`,
and `mode` if it is not a line.
"""

from pathlib import Path

import pytest

from lsp_server.postprocess import BLOCK_RULES, LINE_RULES, clean_middle
from lsp_server.postprocess.gap import Gap

from ..fixture_text import Fixture, read_fixtures

CASES = read_fixtures(Path(__file__).parent / "cases")
SECTIONS = {"document", "answer", "shown", "not shown"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_shown(case: Fixture) -> None:
    assert {name for name, _ in case.sections} <= SECTIONS
    assert set(case.keys) <= {"language", "mode"}
    shown = _shown(case)
    for expected in case.all_of("shown"):
        assert shown == expected
    for bad in case.all_of("not shown"):
        assert shown != bad
    assert case.all_of("shown") or case.all_of("not shown")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_shown_is_not_cut_again(case: Fixture) -> None:
    """Cleaning what was cleaned changes nothing, so that a cached answer may pass twice."""
    shown = _shown(case)
    mode = "block" if case.keys.get("mode") == "block" else "line"
    again = clean_middle(shown, case.prefix, case.suffix, mode, case.keys["language"])
    assert again == shown


def test_there_are_enough() -> None:
    assert len(CASES) >= 60
    assert len({case.keys["language"] for case in CASES}) >= 8


def test_each_rule_has_a_case_that_it_decides() -> None:
    """Leaving a rule out of the chain must break a case, or the rule has no proof of its use."""
    unproven = {rule.__name__ for rule in LINE_RULES + BLOCK_RULES}
    for case in CASES:
        gap = Gap(case.prefix, case.suffix, language_id=case.keys["language"])
        middle = case.section("answer")
        for rule in BLOCK_RULES if case.keys.get("mode") == "block" else LINE_RULES:
            changed = rule(middle, gap) if middle else middle
            if changed != middle:
                unproven.discard(rule.__name__)
            middle = changed
    assert not unproven


def _shown(case: Fixture) -> str:
    mode = "block" if case.keys.get("mode") == "block" else "line"
    answer = case.section("answer")
    return clean_middle(answer, case.prefix, case.suffix, mode, case.keys["language"])
