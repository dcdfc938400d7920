"""The suggest/suppress suite: when the server speaks and when it is quiet, never worse than before.

The rates are printed and raised by `python -m tests.lsp_server.scenario_rates`.
"""

from dataclasses import replace

import pytest

from .scenario import Scenario, read_scenarios
from .scenario_rates import Rates, measure, read_baseline
from .would_show import would_show

SCENARIOS = read_scenarios()


def test_there_are_enough_on_both_sides() -> None:
    assert sum(scenario.is_to_show for scenario in SCENARIOS) >= 40
    assert sum(not scenario.is_to_show for scenario in SCENARIOS) >= 40


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_speaks_or_is_quiet(scenario: Scenario) -> None:
    shown = would_show(scenario)
    if scenario.name in read_baseline().unmet and not scenario.is_met_by(shown):
        pytest.xfail("not met in the baseline either")
    assert scenario.is_met_by(shown), f"shown: {shown!r}"


def test_the_baseline_says_what_is_reached() -> None:
    """A scenario that is met for the first time is taken into the baseline, and stays met."""
    measured, baseline = measure(SCENARIOS), read_baseline()
    assert measured == baseline, "run python -m tests.lsp_server.scenario_rates --raise"


def test_no_scenario_may_be_lost_for_another() -> None:
    before = Rates(0.5, 0.5, ("a", "b"))
    assert replace(before, unmet=("a",)).is_no_worse_than(before)
    assert not replace(before, show_rate=1.0, unmet=("c",)).is_no_worse_than(before)


def test_a_scenario_is_met_by_the_exact_text_only() -> None:
    scenario = next(scenario for scenario in SCENARIOS if scenario.exactly is not None)
    assert scenario.is_met_by(scenario.exactly)
    assert not scenario.is_met_by(f"{scenario.exactly}x")
    assert not scenario.is_met_by(None)
    quiet = next(scenario for scenario in SCENARIOS if not scenario.is_to_show)
    assert quiet.is_met_by(None) and quiet.is_met_by("") and not quiet.is_met_by("x")
