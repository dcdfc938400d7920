"""The routers of this process, for whoever renders their counts or finds a replica silent.

A module of its own, since Ray Serve copies a request router's module into the process by value: a
global of that module would be another one than the gateway imports. Knows nothing of Ray.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Mapping

from infill_cluster.routing import PLACEMENTS, AffinityRouter, Placement

_ROUTERS: "weakref.WeakSet[AffinityRouter]" = weakref.WeakSet()


def watch_router(router: AffinityRouter) -> None:
    """Count this router's placements, and tell it of silent replicas, as long as it lives."""
    _ROUTERS.add(router)


def placement_counts() -> Mapping[Placement, int]:
    """Return the requests of this process so far, by where they went."""
    total: Counter[Placement] = Counter()
    for router in list(_ROUTERS):
        total.update(router.counts)
    return {placement: total[placement] for placement in PLACEMENTS}


def suspect_server_of(key: str) -> Callable[[], None]:
    """Have all routers avoid the replica that `key` was last sent to; returns what ends that."""
    routers = list(_ROUTERS)
    servers = [server for router in routers if (server := router.last_served(key)) is not None]
    for router in routers:
        for server in servers:
            router.suspect(server)

    def trust_again() -> None:
        for router in routers:
            for server in servers:
                router.trust(server)

    return trust_again
