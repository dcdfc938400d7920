"""Which slot a prompt gets: one that holds it, an empty one, or the one not used for longest."""

import pytest
import torch

from infill_engine.api import EngineBusy
from infill_engine.batching.slots import Slots
from infill_engine.forward import EagerForward, Forward
from tests.tiny_checkpoint import tiny_model

MODEL = tiny_model()
FIRST = [2, *range(10, 30)]
SECOND = [2, *range(40, 60)]
THIRD = [2, *range(70, 90)]


def slots(max_slots: int) -> Slots:
    return Slots(EagerForward(MODEL), max_slots)


def serve(slots: Slots, prompt: list[int]) -> tuple[Forward, int]:
    """Take a slot, fill it and give it back; returns it and how many tokens it already held."""
    forward = slots.take(prompt)
    num_cached = forward.cache.roll_back_to(prompt)
    if prompt[num_cached:]:
        forward.prefill(prompt[num_cached:])
    slots.give_back(forward)
    return forward, num_cached


def test_a_lone_prompt_needs_one_slot() -> None:
    some = slots(3)
    used = {id(serve(some, FIRST + list(range(100, 100 + idx)))[0]) for idx in range(5)}
    assert len(used) == 1


def test_documents_in_turn_each_find_their_own() -> None:
    some = slots(3)
    for prompt in (FIRST, SECOND, THIRD):
        assert serve(some, prompt)[1] <= 1, "no more than every prompt's first token"
    for prompt in (SECOND, FIRST, THIRD):
        typed = [*prompt, 99]
        assert serve(some, typed)[1] == len(prompt)


def test_the_one_not_used_for_longest_makes_way() -> None:
    some = slots(2)
    oldest, _ = serve(some, FIRST)
    serve(some, SECOND)
    assert serve(some, THIRD)[0] is oldest
    assert serve(some, SECOND)[1] == len(SECOND)


def test_a_slot_that_is_lent_is_nobody_elses() -> None:
    some = slots(2)
    serve(some, FIRST)
    held = some.take(FIRST)
    other = some.take(FIRST)
    assert other is not held
    assert some.num_free == 0
    with pytest.raises(EngineBusy, match="works on 2 requests and has room for no more"):
        some.take(FIRST)
    some.give_back(held)
    assert some.take(FIRST) is held


def test_an_empty_slot_is_taken_before_another_is_made() -> None:
    some = slots(3)
    serve(some, FIRST)
    second, _ = serve(some, SECOND)
    second.cache.truncate(0)  # as after a failure
    assert serve(some, THIRD)[0] is second


@pytest.mark.parametrize("fails_by", ["no room", "raising"])
def test_no_memory_for_another_slot_means_fewer_slots(
    fails_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Slots(EagerForward(MODEL), 4, lambda: fails_by != "no room")

    def sibling(_self: EagerForward) -> EagerForward:
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(EagerForward, "sibling", sibling)
    first, _ = serve(some, FIRST)
    assert serve(some, SECOND)[0] is first
    assert some.num_free == 1
    assert some.describe()["max_batch"] == 1


def test_says_how_much_memory_all_of_them_hold() -> None:
    some = slots(2)
    serve(some, FIRST)
    one = some.describe()["num_cache_bytes"]
    serve(some, SECOND)
    assert some.describe()["num_cache_bytes"] == 2 * one
