"""The example configurations are read as an administrator's would be."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from infill_cluster.config import parse_config, read_config

FOLDER = Path(__file__).parents[2] / "docs" / "cluster"
NUM_GPUS = {"one_gpu.yaml": 1, "eight_gpus.yaml": 8, "sixty_four_gpus.yaml": 64}


def test_every_example_is_tested() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*NUM_GPUS, "kuberay.yaml"}


@pytest.mark.parametrize("name", NUM_GPUS)
def test_examples_are_for_as_many_gpus_as_they_say(name: str) -> None:
    config = read_config(FOLDER / name)
    assert config.replicas.max * config.replicas.num_gpus == NUM_GPUS[name]
    assert not config.gateway.is_loopback
    assert config.gateway.tls
    assert config.gateway.tokens_file


def test_the_kuberay_manifest_is_one_that_ray_and_we_accept() -> None:
    from ray.serve.schema import ServeDeploySchema

    from infill_cluster.deployments.applications import build_engines, build_gateway

    service, network = yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text())
    gateways, workers = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    container = gateways["template"]["spec"]["containers"][0]
    schema = ServeDeploySchema.model_validate(yaml.safe_load(service["spec"]["serveConfigV2"]))
    builders = {"infill-engine": build_engines, "infill-gateway": build_gateway}
    assert [application.name for application in schema.applications] == list(builders)
    for application in schema.applications:
        build = builders[application.name]
        assert application.import_path == f"{build.__module__}:{build.__name__}"
        assert build(_mapping(application.args))
        config = parse_config(application.args, "the manifest")
        assert config.gateway.port == network["spec"]["ports"][0]["targetPort"]
        assert config.gateway.port == container["readinessProbe"]["tcpSocket"]["port"]
        assert config.gateway.num_gateways == gateways["replicas"]
        assert config.replicas.max == workers["replicas"]
        assert next(iter(config.gateway.resources)) in gateways["rayStartParams"]["resources"]
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert config.gateway.tls
        assert config.gateway.tokens_file
        assert {
            str(path.parent) for path in (config.gateway.tls.key, config.gateway.tokens_file)
        } == mounted
    assert network["spec"]["selector"] == gateways["template"]["metadata"]["labels"]


def test_no_pod_of_the_kuberay_manifest_waits_for_a_proxy_that_is_not_there() -> None:
    service, _ = yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text())
    assert yaml.safe_load(service["spec"]["serveConfigV2"])["proxy_location"] == "Disabled"
    # A worker without a probe of its own gets KubeRay's, which asks Serve's proxy.
    for group in service["spec"]["rayClusterConfig"]["workerGroupSpecs"]:
        assert all("readinessProbe" in pod for pod in group["template"]["spec"]["containers"])


def _mapping(values: Any) -> dict[str, Any]:
    assert isinstance(values, dict)
    return values
