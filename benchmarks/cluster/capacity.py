"""How many developers a fleet serves within a time, and how many replicas developers need.

Found by simulating more and more of them, or larger and larger fleets.
"""

from collections.abc import Callable, Sequence

from benchmarks.cluster.costs import ReplicaCosts
from benchmarks.cluster.fleet import Fleet, FleetLoad
from benchmarks.cluster.typists import Work

LIMIT_MS = 300.0
"""A suggestion that comes later at p95 has been typed past."""
_WARM_UP_S = 4.0
_LEAST_S, _MOST_S = 4.0, 60.0
_DEVELOPER_SECONDS = 40_000.0
"""Simulated if that is within the bounds above: some ten thousands of answers."""
_STEP = 1.04
"""Fleets tried one after the other differ by this factor."""

Simulate = Callable[[int], FleetLoad]
"""Simulates a number of developers, or a number of replicas."""


def simulated_s(num_developers: int) -> float:
    """Seconds to simulate after the warm-up: the fewer type, the longer."""
    return min(_MOST_S, max(_LEAST_S, _DEVELOPER_SECONDS / num_developers))


def simulate_fleet(
    costs: ReplicaCosts,
    works: Sequence[Work],
    num_replicas: int,
    num_developers: int,
    has_affinity: bool,
    seed: int,
    max_queue: int,
) -> FleetLoad:
    """Simulate one fleet for some seconds; see `Fleet`."""
    fleet = Fleet(costs, works, num_replicas, num_developers, has_affinity, seed, max_queue)
    return fleet.run(_WARM_UP_S, simulated_s(num_developers))


def find_capacity(
    simulate: Simulate,
    first_guess: int,
    on_load: Callable[[FleetLoad], None],
    num_halvings: int = 4,
) -> int:
    """Return the most developers whose p95 stays within `LIMIT_MS`, to a few per cent.

    Args:
        simulate: takes the number of developers.
        first_guess: where to begin.
        on_load: told of every simulation.
        num_halvings: how often the bounds are drawn closer.
    """

    def is_good(num_developers: int) -> bool:
        load = simulate(num_developers)
        on_load(load)
        return load.p95_ms <= LIMIT_MS

    low, high = 0, max(1, first_guess)
    while is_good(high):
        low, high = high, high * 2
    if low == 0:
        while high > 1 and not is_good(high // 2):
            high //= 2
        low = high // 2
    for _ in range(num_halvings):
        middle = (low + high) // 2
        if middle in (low, high):
            break
        if is_good(middle):
            low = middle
        else:
            high = middle
    return low


def find_fleet(simulate: Simulate, first_guess: int) -> FleetLoad:
    """Return the smallest fleet whose p95 stays within `LIMIT_MS`, to a few per cent.

    Args:
        simulate: takes the number of replicas.
        first_guess: where to begin; the nearer, the fewer simulations.
    """
    num_replicas = max(1, first_guess)
    load = simulate(num_replicas)
    if load.p95_ms <= LIMIT_MS:
        while num_replicas > 1:
            num_replicas = min(num_replicas - 1, round(num_replicas / _STEP))
            smaller = simulate(num_replicas)
            if smaller.p95_ms > LIMIT_MS:
                break
            load = smaller
        return load
    while load.p95_ms > LIMIT_MS:
        num_replicas = max(num_replicas + 1, round(num_replicas * _STEP))
        load = simulate(num_replicas)
    return load
