"""The simulated fleet against what can be worked out by hand, and the search for its capacity."""

import random

import pytest

from benchmarks.cluster.capacity import LIMIT_MS, find_capacity, find_fleet, simulated_s
from benchmarks.cluster.costs import H100_FP8, ReplicaCosts, recorded_costs
from benchmarks.cluster.fleet import Fleet, FleetLoad
from benchmarks.cluster.typists import Work, mean_requests_per_s, pauses_s
from infill_cluster.routing import AffinityRouter

WORK = Work(
    num_steps=4, num_prompt_tokens=100, num_new_tokens=2, step_ms=5.0, prefill_ms_per_token=1
)
COSTS = ReplicaCosts("by hand", "", (1, 2, 4), (10.0, 12.0, 20.0), 0.5, 0.0, num_slots=4)


def simulate(num_replicas: int, num_developers: int, has_affinity: bool = True) -> FleetLoad:
    fleet = Fleet(COSTS, [WORK], num_replicas, num_developers, has_affinity, seed=1, max_queue=3)
    return fleet.run(warm_up_s=5.0, measured_s=30.0)


def test_a_lone_developer_waits_for_a_few_tokens_and_the_steps() -> None:
    load = simulate(1, 1)
    assert load.p50_ms == pytest.approx(2 * 0.5 + 4 * 10.0)
    assert load.share_cached == 1.0
    assert load.num_answers > 10


def test_who_types_on_gets_only_the_newest_answer() -> None:
    slow = ReplicaCosts("slow", "", (1,), (400.0,), 0.0, 0.0, num_slots=4)
    load = Fleet(slow, [WORK], 1, 1, True, 1, 3).run(5.0, 60.0)
    assert load.share_superseded > 0.3
    assert load.p95_ms >= 4 * 400.0


def test_affinity_finds_prompts_that_chance_does_not() -> None:
    assert simulate(8, 16).share_cached > 0.95
    assert simulate(8, 64, has_affinity=False).share_cached < 0.6


def test_the_same_seed_is_the_same_course() -> None:
    assert simulate(4, 40) == simulate(4, 40)


def test_steps_in_between_are_interpolated_and_a_gpu_draws_its_steps() -> None:
    assert COSTS.step_ms_of(2) == 12.0
    assert COSTS.step_ms_of(3) == 16.0
    drawn = {H100_FP8.num_steps_of(WORK, random.Random(seed)) for seed in range(200)}
    assert min(drawn) == H100_FP8.least_steps and max(drawn) == H100_FP8.most_steps
    assert H100_FP8.prefill_ms_of(WORK, is_cached=True) == H100_FP8.prefill_least_ms


def test_recorded_costs_are_medians() -> None:
    costs = recorded_costs([WORK, WORK, Work(0, 100, 2, 0.0, 3.0)])
    assert costs.step_ms[0] == 5.0
    assert costs.prefill_ms_per_token == 1.0


@pytest.mark.parametrize("guess", [1, 30, 97, 400])
def test_the_capacity_is_found_from_any_guess(guess: int) -> None:
    def at(num_developers: int) -> FleetLoad:
        p95_ms = LIMIT_MS if num_developers <= 100 else LIMIT_MS + 1
        return FleetLoad(1, num_developers, 1.0, p95_ms, 1.0, 0.0, 1)

    seen: list[FleetLoad] = []
    assert 90 <= find_capacity(at, guess, seen.append, num_halvings=6) <= 100
    assert seen


def test_typists_pause_as_people_do() -> None:
    pauses = pauses_s(3)
    some = [next(pauses) for _ in range(200)]
    assert all(pause > 0 for pause in some)
    assert some == [pause for pause, _ in zip(pauses_s(3), range(200), strict=False)]
    assert 0.5 < mean_requests_per_s(0) < 3.0


@pytest.mark.parametrize("guess", [1, 40, 57, 90])
def test_the_smallest_fleet_is_found_from_any_guess(guess: int) -> None:
    def with_replicas(num_replicas: int) -> FleetLoad:
        p95_ms = LIMIT_MS if num_replicas >= 57 else LIMIT_MS + 1
        return FleetLoad(num_replicas, 400, 1.0, p95_ms, 1.0, 0.0, 1)

    assert 57 <= find_fleet(with_replicas, guess).num_replicas <= 60


def test_few_developers_are_simulated_for_longer() -> None:
    assert simulated_s(100) > simulated_s(3_000) > simulated_s(100_000) > 0


def test_a_larger_fleet_costs_a_request_no_more_choices() -> None:
    """The router is shown the three places that it gives a document, however many there are."""
    fleet = Fleet(COSTS, [WORK], 1000, 50, True, seed=1, max_queue=3)
    fleet.run(warm_up_s=1.0, measured_s=5.0)
    assert fleet._router.counts["hit"] > 100
    assert fleet._router.counts["lost"] == 0


def test_a_document_has_no_more_places_than_the_simulation_draws() -> None:
    """The router's own choice among all replicas, whatever their queues: never a fourth one."""
    pick, names = random.Random(2), [f"replica-{idx}" for idx in range(30)]
    router = AffinityRouter(max_queue=2)
    served = {
        router.choose("a document", {name: pick.randrange(6) for name in names}).replica_id
        for _ in range(200)
    }
    assert len(served) == 3
