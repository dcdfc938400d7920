"""Whole answers through the whole chain: text fixtures, many after cases in public issue trackers.

Sections: `document` with the cursor at ‸, `answer` (what the model wrote), `shown` (what is left of
it, empty for nothing), any number of `not shown` (known-bad, never to come back). Keys: `language`,
and `mode` if it is not a line.
"""

from pathlib import Path

import pytest

from lsp_server.postprocess import BLOCK_RULES, LINE_RULES, clean_middle
from lsp_server.postprocess.gap import Gap, Rule

from ..fixture_text import Fixture, read_fixtures

CASES = read_fixtures(Path(__file__).parent / "cases")
SECTIONS = {"document", "answer", "shown", "not shown"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_shown(case: Fixture) -> None:
    assert {name for name, _ in case.sections} <= SECTIONS
    assert set(case.keys) <= {"language", "mode"}
    answer = case.section("answer")
    shown = clean_middle(answer, case.prefix, case.suffix, case.mode, case.keys["language"])
    for expected in case.all_of("shown"):
        assert shown == expected
    for bad in case.all_of("not shown"):
        assert shown != bad
    if "mode" in case.keys:
        assert case.keys["mode"] == "block"
    assert case.all_of("shown") or case.all_of("not shown")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_shown_is_not_cut_again(case: Fixture) -> None:
    """Cleaning what was cleaned changes nothing, so that a cached answer may pass twice."""
    shown = _shown(case)
    again = clean_middle(shown, case.prefix, case.suffix, case.mode, case.keys["language"])
    assert again == shown


def test_there_are_enough() -> None:
    assert len(CASES) >= 60
    assert len({case.keys["language"] for case in CASES}) >= 8


@pytest.mark.parametrize("rule", dict.fromkeys(LINE_RULES + BLOCK_RULES), ids=lambda r: r.__name__)
def test_no_rule_can_be_left_out(rule: Rule) -> None:
    """Without any one of the rules some case comes out otherwise."""
    assert any(_shown(case, without=rule) != _shown(case) for case in CASES)


def _shown(case: Fixture, without: Rule | None = None) -> str:
    gap = Gap(case.prefix, case.suffix, case.mode, case.keys["language"])
    middle = case.section("answer")
    for rule in BLOCK_RULES if case.mode == "block" else LINE_RULES:
        if middle and rule is not without:
            middle = rule(middle, gap)
    return middle
