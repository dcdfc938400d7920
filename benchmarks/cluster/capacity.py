"""How many developers a fleet serves within a time: found by simulating more and more of them."""

from collections.abc import Callable, Sequence

from benchmarks.cluster.costs import ReplicaCosts
from benchmarks.cluster.fleet import Fleet, FleetLoad
from benchmarks.cluster.typists import Work

LIMIT_MS = 300.0
"""A suggestion that comes later at p95 has been typed past."""
_WARM_UP_S, _MEASURED_S = 4.0, 8.0

Simulate = Callable[[int], FleetLoad]


def simulator(
    costs: ReplicaCosts,
    works: Sequence[Work],
    num_replicas: int,
    has_affinity: bool,
    seed: int,
    max_queue: int,
) -> Simulate:
    """Return what simulates a fleet for a number of developers."""

    def simulate(num_developers: int) -> FleetLoad:
        fleet = Fleet(costs, works, num_replicas, num_developers, has_affinity, seed, max_queue)
        return fleet.run(_WARM_UP_S, _MEASURED_S)

    return simulate


def find_capacity(
    simulate: Simulate,
    first_guess: int,
    on_load: Callable[[FleetLoad], None],
    num_halvings: int = 4,
) -> int:
    """Return the most developers whose p95 stays within `LIMIT_MS`, to a few per cent.

    Args:
        simulate: see `simulator`.
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
