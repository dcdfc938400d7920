"""Which replica serves a request: the one whose KV cache holds the document, unless it is loaded.

A document stays where it was last served. One not seen before goes to its rendezvous replica, the
same for every router without a word between them. A replica that is loaded gives way to the better
of the document's next two in that order, if that one has less to do: a document has few places to
be in turn, and their caches keep it. One that has fallen silent is avoided until it is trusted
again. Plain classes over replica ids and queue lengths, for a simulation as well as for a cluster:
knows nothing of Ray, HTTP or time.
"""

import hashlib
import heapq
import random
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Placement = Literal["hit", "new", "moved", "lost"]
"""hit: where the document was last served. new: its first request here. moved: where it was last
served was loaded. lost: where it was last served is gone."""

PLACEMENTS: tuple[Placement, ...] = ("hit", "new", "moved", "lost")
_KEY_BYTES = 16


def affinity_key(user: str, document_id: str) -> str:
    """Return the key under which requests of one document of one user stay together.

    A digest: the key travels through logs and metrics of the cluster, where no name of a document
    may be read. Without a document the user's requests stay together.
    """
    whole = f"{len(user)}:{user}{document_id}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(whole, digest_size=_KEY_BYTES).hexdigest()


def rendezvous_order(key: str, replica_ids: Iterable[str], num: int) -> list[str]:
    """Return the `num` replicas with the highest digests of key and id, the highest first.

    When a replica comes or goes, only the keys that have it among theirs get another one.
    """
    return heapq.nlargest(
        num, replica_ids, key=lambda replica_id: (_weight(key, replica_id), replica_id)
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """A replica for one request, and why."""

    replica_id: str
    placement: Placement


class AffinityRouter:
    """Chooses replicas and remembers where each document was last served.

    Not safe to use from several threads: it belongs to one event loop, or one simulation.
    """

    def __init__(
        self,
        max_queue: int = 3,
        max_remembered: int = 100_000,
        rng: random.Random | None = None,
    ) -> None:
        """Make a router without memories.

        Args:
            max_queue: requests running or waiting at a replica from which it counts as loaded,
                at least 1.
            max_remembered: documents remembered, at least 1; those not asked for longest go first.
            rng: draws the two of which a call without affinity takes the better; None takes one
                seeded by the system.

        Raises:
            ValueError: a number is below 1.
        """
        if max_queue < 1 or max_remembered < 1:
            raise ValueError(
                f"max_queue is {max_queue} and max_remembered {max_remembered}; both must be >= 1."
            )
        self._max_queue = max_queue
        self._max_remembered = max_remembered
        self._rng = rng or random.Random()
        self._last_served: OrderedDict[str, str] = OrderedDict()
        self._suspected: set[str] = set()
        self._counts: Counter[Placement] = Counter()

    @property
    def counts(self) -> Mapping[Placement, int]:
        """Requests by placement, since the router was made."""
        return {placement: self._counts[placement] for placement in PLACEMENTS}

    @property
    def num_remembered(self) -> int:
        """Documents whose replica is remembered."""
        return len(self._last_served)

    @property
    def hit_rate(self) -> float:
        """Share of the requests that went where their document was last served, 0 to 1."""
        total = self._counts.total()
        return self._counts["hit"] / total if total else 0.0

    def choose(self, key: str, queue_lengths: Mapping[str, int]) -> Choice:
        """Choose a replica and note it as the one that serves `key`.

        Args:
            key: see `affinity_key`; empty has no affinity: it goes by load alone, and is counted
                as "new" and not remembered.
            queue_lengths: requests running or waiting, by replica id; only these can be chosen.

        Raises:
            ValueError: there is no replica to choose from.
        """
        choice = self.preview(key, queue_lengths)
        self.note_served(key, choice)
        return choice

    def preview(self, key: str, queue_lengths: Mapping[str, int]) -> Choice:
        """Choose as `choose` does, but note nothing: the replica may yet refuse.

        Raises:
            ValueError: there is no replica to choose from.
        """
        if not queue_lengths:
            raise ValueError("There is no replica to choose from.")
        able = self._not_suspected(queue_lengths)
        if not key:
            return Choice(self._less_loaded_of_two(list(able), able), "new")
        last = self._last_served.get(key)
        home = last if last is not None and last in able else _home(key, able)
        chosen = self._give_way(key, home, able)
        return Choice(chosen, self.placement_of(key, chosen, queue_lengths))

    def note_served(self, key: str, choice: Choice) -> None:
        """Count a choice that was taken, and remember its replica for `key`."""
        self._counts[choice.placement] += 1
        if not key:
            return
        self._last_served[key] = choice.replica_id
        self._last_served.move_to_end(key)
        while len(self._last_served) > self._max_remembered:
            self._last_served.popitem(last=False)

    def last_served(self, key: str) -> str | None:
        """Return the replica that `key` was last sent to, if that is remembered."""
        return self._last_served.get(key)

    def suspect(self, replica_id: str) -> None:
        """Choose this replica only where there is no other: it has fallen silent."""
        self._suspected.add(replica_id)

    def trust(self, replica_id: str) -> None:
        """Choose this replica like any other again."""
        self._suspected.discard(replica_id)

    def placement_of(self, key: str, replica_id: str, replica_ids: Iterable[str]) -> Placement:
        """Say what serving `key` at `replica_id` amounts to, whoever chose it."""
        last = self._last_served.get(key) if key else None
        if last is None:
            return "new"
        if last == replica_id:
            return "hit"
        return "moved" if last in set(replica_ids) else "lost"

    def _not_suspected(self, queue_lengths: Mapping[str, int]) -> Mapping[str, int]:
        if not self._suspected:
            return queue_lengths
        able = {one: num for one, num in queue_lengths.items() if one not in self._suspected}
        return able or queue_lengths

    def _give_way(self, key: str, home: str, queue_lengths: Mapping[str, int]) -> str:
        home_length = queue_lengths[home]
        if home_length < self._max_queue or len(queue_lengths) == 1:
            return home
        others = (replica_id for replica_id in queue_lengths if replica_id != home)
        next_two = rendezvous_order(key, others, 2)
        other = min(next_two, key=lambda replica_id: queue_lengths[replica_id])
        # A move costs a prefill of the whole prompt: not worth it for a place as crowded.
        return other if queue_lengths[other] < home_length else home

    def _less_loaded_of_two(
        self, replica_ids: Sequence[str], queue_lengths: Mapping[str, int]
    ) -> str:
        drawn = self._rng.sample(replica_ids, min(2, len(replica_ids)))
        return min(drawn, key=lambda replica_id: queue_lengths[replica_id])


def _home(key: str, replica_ids: Iterable[str]) -> str:
    return rendezvous_order(key, replica_ids, 1)[0]


def _weight(key: str, replica_id: str) -> bytes:
    return hashlib.blake2b(f"{key}\0{replica_id}".encode(), digest_size=8).digest()
