"""Whose turn it is, who makes way for whom, and that every job is answered once."""

import queue
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infill_engine.api import EngineBusy, EngineUnavailable, InfillRequest, InfillResult
from infill_engine.server.request_queue import InfillJob, JobEvent, RequestQueue
from infill_engine.server.turns import Turns


class Asked(InfillJob):
    """A job that keeps what it is told."""

    def __init__(self, document_id: str = "", deadline_ms: int | None = None) -> None:
        self.told: queue.SimpleQueue[JobEvent] = queue.SimpleQueue()
        request = InfillRequest("", "", deadline_ms=deadline_ms)
        super().__init__(request, document_id, self.told.put)

    @property
    def reason(self) -> str:
        """How it ended without having begun; empty if it has not."""
        if self.told.empty():
            return ""
        end = self.told.get()
        assert self.told.empty()
        return end.finish_reason if isinstance(end, InfillResult) else type(end).__name__


def submit(waiting: RequestQueue, *document_ids: str) -> list[Asked]:
    jobs = [Asked(document_id) for document_id in document_ids]
    for job in jobs:
        waiting.submit(job)
    return jobs


def take_all(waiting: RequestQueue) -> list[str]:
    """Document ids in the order they are taken, each ending before the next is taken."""
    taken: list[str] = []
    while (job := waiting.take(waits=False)) is not None:
        taken.append(job.document_id)
        waiting.end(job)
    return taken


def test_first_come_first_served_without_names() -> None:
    waiting = RequestQueue(8)
    jobs = submit(waiting, "", "", "")
    assert [waiting.take(waits=False) for _ in range(4)] == [*jobs, None]
    assert (len(waiting), waiting.num_running) == (0, 3)


def test_users_take_turns() -> None:
    waiting = RequestQueue(8)
    submit(waiting, "ana 1", "ana 2", "ana 3", "bo 1", "bo 2", "cy 1")
    assert take_all(waiting) == ["ana 1", "bo 1", "cy 1", "ana 2", "bo 2", "ana 3"]


def test_a_user_who_keeps_asking_does_not_keep_the_turn() -> None:
    waiting = RequestQueue(8)
    submit(waiting, "ana 0", "bo 0", "cy 0")
    served: list[str] = []
    for number in range(1, 6):
        job = waiting.take(waits=False)
        assert job is not None
        waiting.end(job)
        served.append(job.user)
        submit(waiting, f"{job.user} {number}")
    assert served == ["ana", "bo", "cy", "ana", "bo"]


def test_whoever_has_less_running_is_next() -> None:
    waiting = RequestQueue(8)
    submit(waiting, "ana 1", "ana 2", "ana 3")
    running = [waiting.take(waits=False), waiting.take(waits=False)]
    submit(waiting, "bo 1")
    assert None not in running
    job = waiting.take(waits=False)
    assert job is not None
    assert job.document_id == "bo 1"


def test_a_newer_request_takes_the_place_of_one_that_waits() -> None:
    waiting = RequestQueue(8)
    older, newer = submit(waiting, "ana 1", "ana 1")
    assert older.reason == "cancelled"
    assert take_all(waiting) == ["ana 1"]
    assert newer.reason == ""


def test_a_newer_request_cancels_one_that_runs_and_begins_behind_it() -> None:
    waiting = RequestQueue(8)
    (older,) = submit(waiting, "ana 1")
    assert waiting.take(waits=False) is older
    newer, other = submit(waiting, "ana 1", "ana 2")
    assert older.cancel.is_cancelled
    assert not newer.cancel.is_cancelled
    assert waiting.take(waits=False) is other
    assert waiting.take(waits=False) is None, "its document is still being worked on"
    waiting.end(older)
    assert waiting.take(waits=False) is newer


def test_requests_without_a_name_supersede_nothing() -> None:
    waiting = RequestQueue(8)
    jobs = submit(waiting, "", "")
    assert waiting.take(waits=False) is jobs[0]
    submit(waiting, "")
    assert not jobs[0].cancel.is_cancelled
    assert [job.reason for job in jobs] == ["", ""]


def test_one_too_many_is_refused() -> None:
    waiting = RequestQueue(2)
    submit(waiting, "", "")
    with pytest.raises(EngineBusy, match="2 requests waiting; at most 2 may"):
        submit(waiting, "")
    assert len(waiting) == 2


def test_a_greedy_user_makes_way() -> None:
    waiting = RequestQueue(3)
    greedy = submit(waiting, "ana 1", "ana 2", "ana 3")
    submit(waiting, "bo 1")
    assert [job.reason for job in greedy] == ["", "", "EngineBusy"]
    with pytest.raises(EngineBusy):
        submit(waiting, "bo 2")
    assert take_all(waiting) == ["ana 1", "bo 1", "ana 2"]


def test_what_waited_past_its_deadline_is_told_so() -> None:
    waiting = RequestQueue(8)
    late, patient = Asked("ana 1", deadline_ms=1), Asked("ana 2", deadline_ms=10**9)
    for job in (late, patient):
        waiting.submit(job)
    late.submitted_s -= 1.0
    waiting.end_late()
    assert (late.reason, patient.reason) == ("deadline", "")
    assert take_all(waiting) == ["ana 2"]


def test_closing_ends_what_waits_and_cancels_what_runs() -> None:
    waiting = RequestQueue(8)
    running, idle = submit(waiting, "ana 1", "bo 1")
    assert waiting.take(waits=False) is running
    waiting.close()
    assert waiting.is_closed
    assert running.cancel.is_cancelled
    assert (running.reason, idle.reason) == ("", "cancelled")
    assert waiting.take(waits=True) is None
    with pytest.raises(EngineUnavailable):
        submit(waiting, "ana 2")


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40))
def test_no_user_gets_far_ahead_of_another_that_waits(users: list[str]) -> None:
    waiting = RequestQueue(len(users))
    submit(waiting, *(f"{user} {idx}" for idx, user in enumerate(users)))
    left = Counter(users)
    served: Counter[str] = Counter()
    while (job := waiting.take(waits=False)) is not None:
        waiting.end(job)
        served[job.user] += 1
        left[job.user] -= 1
        for other in "abc":
            assert not left[other] or served[job.user] <= served[other] + 1
    assert served == Counter(users)


def test_turns_forget_those_who_were_served_longest_ago() -> None:
    turns = Turns()
    for idx in range(10_002):
        turns.next_of([f"user {idx}"], [])
    assert turns.next_of(["user 10001", "user 1"], []) == "user 1"
    assert turns.next_of(["user 10001", "user 0", "user 1"], []) == "user 0"
