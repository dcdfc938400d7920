"""The placements of all routers of this process, for whoever renders its metrics.

A module of its own, since Ray Serve copies a request router's module into the process by value: a
global of that module would be another one than the gateway imports. Knows nothing of Ray.
"""

import weakref
from collections import Counter
from collections.abc import Mapping

from infill_cluster.routing import PLACEMENTS, AffinityRouter, Placement

_ROUTERS: "weakref.WeakSet[AffinityRouter]" = weakref.WeakSet()


def watch_router(router: AffinityRouter) -> None:
    """Count this router's placements as long as it lives."""
    _ROUTERS.add(router)


def placement_counts() -> Mapping[Placement, int]:
    """Return the requests of this process so far, by where they went."""
    total: Counter[Placement] = Counter()
    for router in list(_ROUTERS):
        total.update(router.counts)
    return {placement: total[placement] for placement in PLACEMENTS}
