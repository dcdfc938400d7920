"""Is there room for what is asked for? Counted from what each node has in all, used or not.

A replica that fits no node would wait for one for ever, and so would whoever deploys it. Nodes that
an autoscaler would add are not counted. Knows nothing of Ray.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infill_cluster.config import ClusterConfig, GatewaySection, ReplicasSection
from infill_engine.api import ConfigError

_ROUNDING = 1e-6
"""0.3 / 0.1 is 2.9999999999999996."""


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """What one node of the cluster has.

    Attributes:
        ip: address; nodes that share one share its ports.
        resources: by name, as Ray counts them: {"CPU": 8.0, "GPU": 1.0, "infill_gateway": 1.0}.
    """

    ip: str
    resources: Mapping[str, float] = field(default_factory=dict)


def require_room(config: ClusterConfig, nodes: Sequence[NodeRoom]) -> None:
    """Refuse what can never be placed on these nodes; raises ConfigError."""
    _require_room_for_engines(config.replicas, nodes)
    _require_room_for_gateways(config.gateway, nodes)


def _require_room_for_engines(replicas: ReplicasSection, nodes: Sequence[NodeRoom]) -> None:
    needs = {"CPU": replicas.num_cpus, "GPU": replicas.num_gpus}
    num_placed = sum(_num_that_fit(needs, node, replicas.min) for node in nodes)
    if num_placed >= replicas.min:
        return
    cpus, gpus = (sum(node.resources.get(name, 0.0) for node in nodes) for name in needs)
    raise ConfigError(
        f"replicas.min is {replicas.min}, but there is room for {num_placed}: an engine takes "
        f"{replicas.num_cpus:g} CPU cores and {replicas.num_gpus:g} GPUs of one node, and the "
        f"cluster has {cpus:g} CPU cores and {gpus:g} GPUs on {_nodes(len(nodes))}. Lower "
        "replicas.min, replicas.num_cpus or replicas.num_gpus, or add nodes."
    )


def _require_room_for_gateways(gateway: GatewaySection, nodes: Sequence[NodeRoom]) -> None:
    able = [node for node in nodes if _num_that_fit(gateway.resources, node, 1)]
    if len(able) < gateway.num_gateways:
        takes = f" with the resources {gateway.resources}" if gateway.resources else ""
        raise ConfigError(
            f"gateway.num_gateways is {gateway.num_gateways}, but the cluster has "
            f"{_nodes(len(able))}{takes}, and each takes one gateway. Lower gateway.num_gateways, "
            "or start nodes with these resources (`ray start --resources`)."
        )
    num_hosts = len({node.ip for node in able})
    if gateway.port and num_hosts < gateway.num_gateways:
        raise ConfigError(
            f"gateway.num_gateways is {gateway.num_gateways}, but the {len(able)} nodes that can "
            f"take one have {num_hosts} address{'es' if num_hosts > 1 else ''} between them, and "
            f"port {gateway.port} of an address can be had once. Lower gateway.num_gateways, or "
            "set gateway.port to 0, which takes a free one."
        )


def _num_that_fit(needs: Mapping[str, float], node: NodeRoom, num_wanted: int) -> int:
    """Return how many replicas with such needs the node can hold, at most `num_wanted`."""
    fits = [
        int(node.resources.get(name, 0.0) / amount + _ROUNDING)
        for name, amount in needs.items()
        if amount > 0
    ]
    return min([num_wanted, *fits])


def _nodes(num: int) -> str:
    return "1 node" if num == 1 else f"{num} nodes"
