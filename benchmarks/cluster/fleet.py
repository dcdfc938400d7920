"""A fleet of replicas and the developers who type on it, as events in simulated time.

The router is the cluster's own; a replica is what the engine is: rows that share steps, prompts
kept for who comes back, and the newest request of a document in place of an older one. Of a large
fleet the router is shown only the replicas that it could choose: where the document is, and two
others drawn at random. That is what it would draw itself, and a request then costs the same time
whatever the fleet. Knows nothing of real time or of real engines.
"""

import functools
import heapq
import itertools
import random
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.cluster.costs import ReplicaCosts
from benchmarks.cluster.typists import Work, choose, pauses_s
from benchmarks.distribution import percentile
from infill_cluster.routing import AffinityRouter, Choice, affinity_key

_NUM_TYPISTS = 64
"""Different ones; everybody is one of them, begun at another time."""


@dataclass(frozen=True, slots=True)
class FleetLoad:
    """What one simulation found.

    Attributes:
        num_replicas: engines.
        num_developers: typing, all the time.
        p50_ms: from asking to the whole answer.
        p95_ms: likewise.
        share_cached: answers whose prompt was in the replica's cache.
        share_superseded: requests that a newer one of the same document replaced.
        num_answers: what the figures are made of.
    """

    num_replicas: int
    num_developers: int
    p50_ms: float
    p95_ms: float
    share_cached: float
    share_superseded: float
    num_answers: int


@dataclass(slots=True, eq=False)
class _Request:
    key: str
    asked_ms: float
    work: Work
    num_steps_left: int = 0
    is_cached: bool = False
    is_dropped: bool = False


@dataclass(slots=True, eq=False)
class _Replica:
    replica_id: str
    waiting: deque[_Request] = field(default_factory=deque)
    running: list[_Request] = field(default_factory=list)
    prompts: OrderedDict[str, None] = field(default_factory=OrderedDict)
    is_stepping: bool = False


class Fleet:
    """One simulation; make a new one for each."""

    def __init__(
        self,
        costs: ReplicaCosts,
        works: Sequence[Work],
        num_replicas: int,
        num_developers: int,
        has_affinity: bool,
        seed: int,
        max_queue: int,
    ) -> None:
        """Let everybody begin to type at a time of their own.

        Args:
            costs: of each replica.
            works: what requests ask for.
            num_replicas: engines.
            num_developers: who type.
            has_affinity: whether documents are told apart; else a request goes by load alone.
            seed: same seed, same course.
            max_queue: of the router.
        """
        self._costs, self._works = costs, works
        self._step_ms = [0.0, *(costs.step_ms_of(num + 1) for num in range(costs.max_rows))]
        self._pick = random.Random(seed)
        self._router = AffinityRouter(max_queue, max(1, num_developers), random.Random(seed))
        self._replicas = {
            name: _Replica(name) for name in (f"replica-{idx}" for idx in range(num_replicas))
        }
        self._queue_lengths = dict.fromkeys(self._replicas, 0)
        self._names = list(self._replicas)
        self._has_affinity = has_affinity
        self._newest: dict[str, tuple[_Replica, _Request]] = {}
        self._events: list[tuple[float, int, int | _Replica]] = []
        self._order = itertools.count()
        typists = _typists(seed)
        self._pauses = [
            _endless(typists[idx % _NUM_TYPISTS], self._pick) for idx in range(num_developers)
        ]
        self._keys = [affinity_key(str(idx), "main.py") for idx in range(num_developers)]
        # The router gives each document three places, by digests: as good as three drawn.
        self._places = [self._pick_names(3) for _ in range(num_developers if has_affinity else 0)]
        for key, places in zip(self._keys, self._places, strict=False):
            self._router.note_served(key, Choice(places[0], "new"))
        for idx in range(num_developers):
            self._at(self._pick.random() * 1000.0 * next(self._pauses[idx]), idx)
        self._waited_ms: list[float] = []
        self._num_asked = self._num_superseded = self._num_cached = 0

    def run(self, warm_up_s: float, measured_s: float) -> FleetLoad:
        """Simulate, and tell what happened after the warm-up."""
        end_ms = 1000.0 * (warm_up_s + measured_s)
        is_warm = False
        while self._events and self._events[0][0] <= end_ms:
            now_ms, _, who = heapq.heappop(self._events)
            if not is_warm and now_ms >= 1000.0 * warm_up_s:
                is_warm = True
                self._waited_ms.clear()
                self._num_asked = self._num_superseded = self._num_cached = 0
            if isinstance(who, _Replica):
                self._end_step(who, now_ms)
            else:
                self._ask(who, now_ms)
        waited = self._waited_ms or [end_ms]
        return FleetLoad(
            len(self._replicas),
            len(self._keys),
            percentile(waited, 50),
            percentile(waited, 95),
            self._num_cached / max(1, len(self._waited_ms)),
            self._num_superseded / max(1, self._num_asked),
            len(self._waited_ms),
        )

    def _at(self, when_ms: float, who: "int | _Replica") -> None:
        heapq.heappush(self._events, (when_ms, next(self._order), who))

    def _ask(self, developer_idx: int, now_ms: float) -> None:
        self._at(now_ms + 1000.0 * next(self._pauses[developer_idx]), developer_idx)
        key = self._keys[developer_idx]
        self._num_asked += 1
        self._supersede(key)
        replica = self._replicas[self._choose(developer_idx)]
        request = _Request(key, now_ms, choose(self._works, self._pick))
        replica.waiting.append(request)
        self._queue_lengths[replica.replica_id] += 1
        self._newest[key] = (replica, request)
        if not replica.is_stepping:
            self._begin_step(replica, now_ms)

    def _choose(self, developer_idx: int) -> str:
        shown = self._places[developer_idx] if self._has_affinity else self._pick_names(2)
        lengths = {name: self._queue_lengths[name] for name in shown}
        key = self._keys[developer_idx] if self._has_affinity else ""
        return self._router.choose(key, lengths).replica_id

    def _pick_names(self, num: int) -> list[str]:
        if len(self._names) <= num:
            return self._pick.sample(self._names, len(self._names))
        drawn: dict[str, None] = {}
        while len(drawn) < num:  # several times faster than `sample`
            drawn[self._names[int(self._pick.random() * len(self._names))]] = None
        return list(drawn)

    def _supersede(self, key: str) -> None:
        """A newer request of the document takes the place of one that waits or runs."""
        older = self._newest.pop(key, None)
        if older is None:
            return
        replica, request = older
        request.is_dropped = True
        self._num_superseded += 1
        self._queue_lengths[replica.replica_id] -= 1

    def _begin_step(self, replica: _Replica, now_ms: float) -> None:
        replica.running = [request for request in replica.running if not request.is_dropped]
        costs, took_ms = self._costs, 0.0
        while replica.waiting and len(replica.running) < costs.max_rows:
            request = replica.waiting.popleft()
            if request.is_dropped:
                continue
            took_ms += self._prefill(replica, request)
            request.num_steps_left = costs.num_steps_of(request.work, self._pick)
            if request.num_steps_left == 0:
                self._answer(replica, request, now_ms + took_ms)
            else:
                replica.running.append(request)
        replica.is_stepping = bool(replica.running) or took_ms > 0
        if replica.running:
            took_ms += self._step_ms[len(replica.running)]
        if replica.is_stepping:
            self._at(now_ms + took_ms, replica)

    def _prefill(self, replica: _Replica, request: _Request) -> float:
        request.is_cached = request.key in replica.prompts
        replica.prompts[request.key] = None
        replica.prompts.move_to_end(request.key)
        if len(replica.prompts) > self._costs.num_slots:
            replica.prompts.popitem(last=False)
        return self._costs.prefill_ms_of(request.work, request.is_cached)

    def _end_step(self, replica: _Replica, now_ms: float) -> None:
        going_on: list[_Request] = []
        for request in replica.running:
            if request.is_dropped:
                continue
            request.num_steps_left -= 1
            if request.num_steps_left > 0:
                going_on.append(request)
            else:
                self._answer(replica, request, now_ms)
        replica.running = going_on
        self._begin_step(replica, now_ms)

    def _answer(self, replica: _Replica, request: _Request, when_ms: float) -> None:
        self._waited_ms.append(when_ms - request.asked_ms)
        self._num_cached += request.is_cached
        self._queue_lengths[replica.replica_id] -= 1
        if self._newest.get(request.key, (None, None))[1] is request:
            del self._newest[request.key]


@functools.cache
def _typists(seed: int) -> list[list[float]]:
    """Pauses of the different typists, in seconds."""
    return [list(itertools.islice(pauses_s(seed + idx), 400)) for idx in range(_NUM_TYPISTS)]


def _endless(pauses: list[float], pick: random.Random) -> Iterator[float]:
    """Yield the pauses over and over, begun anywhere among them."""
    idx = int(pick.random() * len(pauses))
    while True:
        yield pauses[idx]
        idx = (idx + 1) % len(pauses)
