import random
from collections import Counter

import pytest

from infill_cluster.routing import AffinityRouter, Choice, affinity_key, rendezvous_order
from infill_cluster.watched_routers import suspect_server_of, watch_router

REPLICAS = [f"replica-{idx}" for idx in range(8)]
IDLE = dict.fromkeys(REPLICAS, 0)


def rendezvous_choice(key: str, replica_ids: list[str]) -> str:
    (first,) = rendezvous_order(key, replica_ids, 1)
    return first


def router(**options: int) -> AffinityRouter:
    return AffinityRouter(rng=random.Random(1), **options)


def test_a_key_tells_users_and_documents_apart_and_names_neither() -> None:
    pairs = [("ada", "secret.py"), ("adas", "ecret.py"), ("ada", ""), ("", "adasecret.py")]
    keys = {affinity_key(user, document) for user, document in pairs}
    assert len(keys) == len(pairs)
    assert not any("secret" in key or "ada" in key for key in keys)
    assert affinity_key("ada", "\ud800") != affinity_key("ada", "")


def test_rendezvous_spreads_documents_evenly() -> None:
    homes = Counter(rendezvous_choice(f"key-{idx}", REPLICAS) for idx in range(8000))
    assert set(homes) == set(REPLICAS)
    assert max(homes.values()) < 1.2 * 1000


def test_rendezvous_moves_only_the_keys_of_a_replica_that_goes() -> None:
    keys = [f"key-{idx}" for idx in range(500)]
    before = {key: rendezvous_choice(key, REPLICAS) for key in keys}
    after = {key: rendezvous_choice(key, REPLICAS[1:]) for key in keys}
    assert {key for key in keys if before[key] != after[key]} == {
        key for key in keys if before[key] == REPLICAS[0]
    }
    assert rendezvous_order("key", [], 1) == []


def test_two_routers_agree_without_a_word() -> None:
    first, second = AffinityRouter(), AffinityRouter()
    for idx in range(100):
        key = f"key-{idx}"
        assert first.choose(key, IDLE) == second.choose(key, dict(reversed(IDLE.items())))


def test_a_document_stays_where_it_was_served() -> None:
    routes = router()
    first = routes.choose("key", IDLE)
    assert first.placement == "new"
    assert [routes.choose("key", IDLE) for _ in range(3)] == [Choice(first.replica_id, "hit")] * 3
    assert routes.counts == {"hit": 3, "new": 1, "moved": 0, "lost": 0}
    assert routes.hit_rate == 0.75


def test_a_loaded_replica_gives_way_to_one_with_less_to_do_and_the_document_stays_there() -> None:
    routes = router(max_queue=2)
    home = routes.choose("key", IDLE).replica_id
    assert routes.choose("key", {**IDLE, home: 1}).placement == "hit"
    moved = routes.choose("key", {**IDLE, home: 2})
    assert moved.placement == "moved"
    assert moved.replica_id != home
    assert routes.choose("key", IDLE) == Choice(moved.replica_id, "hit")


def test_where_all_are_as_loaded_nothing_moves() -> None:
    routes = router(max_queue=2)
    home = routes.choose("key", IDLE).replica_id
    assert routes.choose("key", dict.fromkeys(REPLICAS, 5)) == Choice(home, "hit")


def test_the_next_two_in_its_order_are_all_that_a_document_moves_to() -> None:
    home, second, third, *rest = rendezvous_order("key", REPLICAS, len(REPLICAS))
    routes = router(max_queue=2)
    routes.choose("key", IDLE)
    loads = {**dict.fromkeys(REPLICAS, 4), second: 3, **dict.fromkeys(rest, 0)}
    assert routes.preview("key", loads) == Choice(second, "moved")
    assert routes.preview("key", {**loads, third: 1}) == Choice(third, "moved")
    assert routes.preview("key", {**loads, second: 4}) == Choice(home, "hit")


def test_two_routers_agree_where_a_loaded_replica_gives_way() -> None:
    first, second = AffinityRouter(), AffinityRouter()
    for idx in range(100):
        key = f"key-{idx}"
        loads = {**IDLE, first.choose(key, IDLE).replica_id: 9}
        moved = first.choose(key, loads)
        assert moved.placement == "moved"
        # The second one has never seen the document.
        assert second.choose(key, loads) == Choice(moved.replica_id, "new")


def test_what_gives_way_spreads_over_all_others() -> None:
    loaded = {**IDLE, REPLICAS[0]: 9}
    routes = router()
    moved: Counter[str] = Counter()
    for idx in range(8000):
        key = f"key-{idx}"
        if routes.choose(key, IDLE).replica_id == REPLICAS[0]:
            moved[routes.choose(key, loaded).replica_id] += 1
    assert set(moved) == set(REPLICAS[1:])
    assert max(moved.values()) < 1.5 * moved.total() / len(moved)


def test_a_document_whose_replica_is_gone_is_counted_as_lost() -> None:
    routes = router()
    home = routes.choose("key", IDLE).replica_id
    rest = {replica_id: 0 for replica_id in REPLICAS if replica_id != home}
    assert routes.choose("key", rest).placement == "lost"
    assert routes.choose("key", rest).placement == "hit"


def test_memory_is_bounded_and_the_longest_unused_goes_first() -> None:
    routes = router(max_remembered=2)
    for key in ("a", "b", "a", "c"):
        routes.choose(key, IDLE)
    assert routes.num_remembered == 2
    assert routes.choose("a", IDLE).placement == "hit"
    assert routes.choose("b", IDLE).placement == "new"


def test_without_a_key_load_alone_decides_and_nothing_is_remembered() -> None:
    routes = router()
    loads = {"busy": 9, "free": 0}
    assert [routes.choose("", loads).replica_id for _ in range(20)] == ["free"] * 20
    assert routes.num_remembered == 0
    assert routes.counts["new"] == 20


def test_a_preview_notes_nothing() -> None:
    routes = router()
    assert routes.preview("key", IDLE).placement == "new"
    assert routes.preview("key", IDLE).placement == "new"
    assert routes.num_remembered == 0
    assert sum(routes.counts.values()) == 0


def test_a_placement_is_judged_whoever_chose() -> None:
    routes = router()
    routes.note_served("key", Choice("a", "new"))
    assert routes.placement_of("key", "a", ["a", "b"]) == "hit"
    assert routes.placement_of("key", "b", ["a", "b"]) == "moved"
    assert routes.placement_of("key", "b", ["b"]) == "lost"
    assert routes.placement_of("other", "b", ["b"]) == "new"


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="no replica"):
        router().choose("key", {})
    with pytest.raises(ValueError, match="max_queue is 0"):
        router(max_queue=0)


def test_a_suspected_replica_is_avoided_until_it_is_trusted() -> None:
    routes = router()
    home, second, *_ = rendezvous_order("key", REPLICAS, 2)
    assert routes.choose("key", IDLE) == Choice(home, "new")
    assert routes.last_served("key") == home
    routes.suspect(home)
    assert routes.preview("key", IDLE) == Choice(second, "moved")
    assert {routes.preview("", IDLE).replica_id for _ in range(200)} == set(REPLICAS) - {home}
    assert routes.preview("key", {home: 0}) == Choice(home, "hit")  # there is no other
    routes.trust(home)
    assert routes.preview("key", IDLE) == Choice(home, "hit")


def test_whoever_finds_a_replica_silent_tells_all_routers() -> None:
    first, second = router(), router()
    for routes in (first, second):
        watch_router(routes)
    home = first.choose("key", IDLE).replica_id
    trust_again = suspect_server_of("key")
    assert first.preview("key", IDLE).placement == "moved"
    assert second.preview("key", IDLE).replica_id != home
    trust_again()
    assert first.preview("key", IDLE) == Choice(home, "hit")
