"""Fleets simulated on all cores: what 8, 64 and 512 replicas bear, and how many a team needs.

Knows nothing of how a fleet is simulated, nor of how the figures are shown.
"""

import dataclasses
import functools
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

from benchmarks.cluster.capacity import find_capacity, find_fleet, simulate_fleet
from benchmarks.cluster.costs import ReplicaCosts
from benchmarks.cluster.fleet import FleetLoad
from benchmarks.cluster.typists import Work
from benchmarks.progress_bar import progress_bar

FLEETS = (8, 64, 512)
TEAMS = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
"""Developers who type at one moment."""
OVERLOADED = 10
"""Loads above so many times what a fleet serves are not simulated: almost all their requests are
replaced by newer ones before they are answered."""
_DEVELOPERS_PER_REPLICA = 8
_GUESSED_REPLICAS_PER_DEVELOPER = 0.13654
"""Where the search for a team's fleet begins."""


def simulate_fleets(
    costs: ReplicaCosts, works: Sequence[Work], seed: int, max_queue: int, is_whole: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return fleets with all their loads, and for each team the smallest fleet that will do.

    Args:
        costs: of a replica.
        works: what requests ask for.
        seed: same seed, same figures.
        max_queue: of the router.
        is_whole: with every number of developers and with the teams; else only what fleets serve.
    """
    with ProcessPoolExecutor() as pool:
        teams = [
            pool.submit(_fleet_for, costs, works, num_developers, seed, max_queue)
            for num_developers in sorted(TEAMS, reverse=True)
            if is_whole
        ]
        fleets = [
            pool.submit(_loads_of, costs, works, num, has_affinity, seed, max_queue, is_whole)
            for num in sorted(FLEETS, reverse=True)
            for has_affinity in (True, False)
        ]
        waiting: list[Future[dict[str, Any]]] = [*teams, *fleets]
        with progress_bar(costs.name, len(waiting)) as on_done:
            for future in waiting:
                future.result()
                on_done()
    found = sorted(
        (future.result() for future in fleets),
        key=lambda fleet: (fleet["num_replicas"], not fleet["has_affinity"]),
    )
    return found, [future.result() for future in reversed(teams)]


def _loads_of(
    costs: ReplicaCosts,
    works: Sequence[Work],
    num_replicas: int,
    has_affinity: bool,
    seed: int,
    max_queue: int,
    is_whole: bool,
) -> dict[str, Any]:
    """What one fleet serves, and how it fares with each number of developers."""
    loads: dict[int, FleetLoad] = {}

    @functools.cache
    def simulate(num_developers: int) -> FleetLoad:
        return simulate_fleet(
            costs, works, num_replicas, num_developers, has_affinity, seed, max_queue
        )

    def note(load: FleetLoad) -> None:
        loads[load.num_developers] = load

    capacity = find_capacity(simulate, num_replicas * _DEVELOPERS_PER_REPLICA, note)
    overloaded: list[int] = []
    for num_developers in TEAMS if is_whole else ():
        if num_developers > OVERLOADED * capacity:
            overloaded.append(num_developers)
        else:
            note(simulate(num_developers))
    return {
        "num_replicas": num_replicas,
        "has_affinity": has_affinity,
        "capacity": capacity,
        "loads": [_rounded(loads[num]) for num in sorted(loads)],
        "overloaded": overloaded,
    }


def _fleet_for(
    costs: ReplicaCosts, works: Sequence[Work], num_developers: int, seed: int, max_queue: int
) -> dict[str, Any]:
    """The smallest fleet for a team."""

    def simulate(num_replicas: int) -> FleetLoad:
        return simulate_fleet(costs, works, num_replicas, num_developers, True, seed, max_queue)

    load = find_fleet(simulate, round(num_developers * _GUESSED_REPLICAS_PER_DEVELOPER))
    return _rounded(load)


def _rounded(load: FleetLoad) -> dict[str, Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(load).items()
    }
