"""`routing.AffinityRouter` as the request router of Ray Serve: an adapter without a policy.

The affinity key comes as the session id of a handle's call. A replica that refuses because it is
full gives way to any other. Ray Serve copies this module by value: it has no globals. Knows nothing
of users or documents, only of their key.
"""

from typing import Any

from ray.serve.request_router import PendingRequest, ReplicaID, RequestRouter, RunningReplica

from infill_cluster.routing import AffinityRouter, Choice
from infill_cluster.watched_routers import watch_router


class AffinityRequestRouter(RequestRouter):
    """Keeps the calls of one key at one replica.

    Without Serve's FIFO mixin: there the next free replica goes to the oldest request, whichever
    request it was chosen for.
    """

    def initialize_state(self, max_queue: int = 3, **_others: Any) -> None:
        """Take `request_router_kwargs` of the deployment; see `AffinityRouter`."""
        self.affinity = AffinityRouter(max_queue=max_queue)
        watch_router(self.affinity)

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Rank the replicas: the chosen one, then all others."""
        if not candidate_replicas:
            return []
        key = ""
        if pending_request is not None:
            # Serve would ask again at once, without end, while every replica is full.
            pending_request.routing_context.should_backoff = True
            key = pending_request.metadata.session_id
        by_id = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        queue_lengths = {
            unique_id: self.replica_queue_len_cache.get(replica.replica_id) or 0
            for unique_id, replica in by_id.items()
        }
        chosen = by_id[self.affinity.preview(key, queue_lengths).replica_id]
        return [[chosen], [replica for replica in candidate_replicas if replica is not chosen]]

    def on_request_routed(
        self, pending_request: PendingRequest, replica_id: ReplicaID, result: object
    ) -> None:
        """Note where a call went, once a replica has taken it."""
        key = pending_request.metadata.session_id
        if not key:  # health and the like
            return
        replica_ids = [replica.unique_id for replica in self.curr_replicas]
        placement = self.affinity.placement_of(key, replica_id.unique_id, replica_ids)
        self.affinity.note_served(key, Choice(replica_id.unique_id, placement))
