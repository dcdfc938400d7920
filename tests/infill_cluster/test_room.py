"""What can never be placed is refused before anything is deployed."""

import pytest

from infill_cluster.config import ClusterConfig, parse_config
from infill_cluster.room import NodeRoom, require_room
from infill_engine.api import ConfigError


def config(replicas: dict[str, object], gateway: dict[str, object]) -> ClusterConfig:
    return parse_config({"replicas": replicas, "gateway": gateway}, "the test")


def nodes(num: int, gpus: float = 0.0, ip: str = "", gateways: float = 1.0) -> list[NodeRoom]:
    resources = {"CPU": 4.0, "GPU": gpus, "infill_gateway": gateways}
    return [NodeRoom(ip or f"10.0.0.{idx}", resources) for idx in range(num)]


def test_what_fits_is_not_refused() -> None:
    require_room(ClusterConfig(), nodes(1))
    require_room(config({"min": 12, "max": 12, "num_cpus": 0.1}, {}), nodes(1))
    require_room(config({"min": 40, "max": 40, "num_cpus": 0.1}, {}), nodes(1))
    require_room(config({"min": 8, "max": 8, "num_gpus": 0.5, "num_cpus": 1}, {}), nodes(2, 2))
    require_room(config({"num_cpus": 0}, {"num_gateways": 2}), nodes(2))


def test_engines_are_counted_node_by_node() -> None:
    # 8 cores in all, but 3 of one node each: one engine on each node, and a core left over twice.
    with pytest.raises(ConfigError, match=r"replicas.min is 3, but there is room for 2: .* 8 CPU"):
        require_room(config({"min": 3, "max": 3, "num_cpus": 3}, {}), nodes(2))
    with pytest.raises(ConfigError, match=r"room for 1: .* 1 GPUs of one node, .* on 1 node\."):
        require_room(config({"min": 2, "max": 2, "num_gpus": 1}, {}), nodes(1, 1))


def test_each_gateway_needs_a_node_that_has_its_resources() -> None:
    asked = config({}, {"num_gateways": 2, "resources": {"infill_gateway": 0.01}})
    require_room(asked, nodes(2))
    there = [*nodes(1), *nodes(3, ip="10.0.0.9", gateways=0.0)]
    with pytest.raises(
        ConfigError, match=r"num_gateways is 2, but the cluster has 1 node with the"
    ):
        require_room(asked, there)


def test_gateways_that_would_share_an_address_are_refused_unless_they_take_free_ports() -> None:
    with pytest.raises(ConfigError, match="port 8443 of an address can be had once"):
        require_room(config({}, {"num_gateways": 2}), nodes(2, ip="10.0.0.1"))
    require_room(config({}, {"num_gateways": 2, "port": 0}), nodes(2, ip="10.0.0.1"))
    require_room(config({}, {"num_gateways": 1}), nodes(2, ip="10.0.0.1"))
