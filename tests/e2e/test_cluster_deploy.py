"""`infill-ls cluster deploy` on a Ray cluster that runs already: two nodes, a gateway on each.

Every command is a process of its own that ends; the cluster goes on. The tests are one story, in
this order: deployed, used, changed, a node lost, taken down.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from infill_client.address import EngineAddress
from infill_client.client import EngineClient
from infill_cluster.security.tokens import add_token
from infill_engine.api import EngineUnavailable, InfillRequest, InfillResult, InfillUpdate
from tests.e2e.ray_here import PATIENCE_S
from tests.e2e.ray_nodes import RayNodes, ray_nodes

pytestmark = pytest.mark.e2e
COMMAND = [sys.executable, "-m", "infill_cli", "cluster"]
BOTH = "infill-engine, infill-gateway"


class Team:
    """What an administrator and the users of the cluster have in hand."""

    def __init__(self, folder: Path, nodes: RayNodes) -> None:
        self.nodes = nodes
        self.urls: list[str] = []
        self._path = folder / "team.yaml"
        self._token = add_token(folder / "tokens.json", "ada")
        self.config: dict[str, Any] = {
            "engine": {"num_threads": 1},
            "replicas": {"min": 2, "max": 2, "num_cpus": 1, "health_check_period_s": 1},
            "gateway": {
                "port": 0,
                "num_gateways": 2,
                "resources": {"infill_gateway": 0.01},
                "tokens_file": "tokens.json",
                "drain_s": PATIENCE_S,
                "limits": {"burst": 100_000, "request_timeout_s": 600},
            },
        }

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of an administrator's to its end."""
        return subprocess.run(
            [*COMMAND, name, *arguments, "--address", self.nodes.address],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def deploy(self) -> str:
        """Deploy the configuration as it is now, and return what is said of it."""
        self._path.write_text(yaml.safe_dump(self.config))
        done = self.run("deploy", str(self._path))
        assert done.returncode == 0, done.stderr
        what, where = done.stdout.splitlines()
        self.urls = where.removeprefix("Serving at ").removesuffix(".").split(" and ")
        return what

    def status(self) -> list[dict[str, Any]]:
        return json.loads(self.run("status", "--json").stdout)

    def client(self, idx: int = 0) -> EngineClient:
        """Return a client of the gateway with this index."""
        return EngineClient(EngineAddress(self.urls[idx], self._token))

    def placements(self, idx: int) -> str:
        headers = {"Authorization": f"Bearer {self._token}"}
        return httpx.get(f"{self.urls[idx]}/metrics", headers=headers, trust_env=False).text


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with ray_nodes() as nodes:
        for _ in range(2):
            # A core more than the one engine of a node takes: room for that of a lost node.
            nodes.add("--num-cpus", "2", "--resources", '{"infill_gateway": 1}')
        yield Team(tmp_path_factory.mktemp("team"), nodes)


def gap(idx: int) -> InfillRequest:
    prefix = f"def scale_{idx}(values, factor):\n    total_{idx} = 0\n    for value in "
    return InfillRequest(prefix, "\n", "python", "scale.py", max_new_tokens=12, seed=idx)


def long_gap(idx: int) -> InfillRequest:
    prefix = f"VALUES_{idx} = [1,\n"
    return InfillRequest(prefix, "\n", "python", mode="block", max_new_tokens=300, seed=idx)


def test_a_command_without_rays_token_is_told_so(
    team: Team, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    monkeypatch.setenv("HOME", str(tmp_path))  # where a token of this user's would be
    refused = team.run("status")
    assert refused.returncode == 2
    assert "does not take this command in (AuthenticationError" in refused.stderr
    assert "RAY_AUTH_TOKEN_PATH" in refused.stderr


def test_what_has_no_room_is_refused_before_anything_is_deployed(team: Team) -> None:
    team.config["gateway"]["port"] = 8443
    with pytest.raises(AssertionError, match="port 8443 of an address can be had once"):
        team.deploy()
    team.config["gateway"]["port"] = 0
    assert [part["status"] for part in team.status()] == ["NOT_STARTED", "NOT_STARTED"]


def test_deploy_ends_and_two_gateways_serve(team: Team) -> None:
    assert team.deploy() == f"Rolled out: {BOTH}."
    engines, gateways = team.status()
    assert [part["status"] for part in (engines, gateways)] == ["RUNNING", "RUNNING"]
    assert [part["replicas"] for part in (engines, gateways)] == [{"RUNNING": 2}] * 2
    assert gateways["urls"] == team.urls
    ports = [int(url.rpartition(":")[2]) for url in team.urls]
    served = {
        node_idx for node_idx in (0, 1) for port in ports if team.nodes.listens(node_idx, port)
    }
    assert served == {0, 1}


async def test_a_document_has_the_same_engine_whichever_gateway_is_asked(team: Team) -> None:
    async with team.client(0) as first, team.client(1) as second:
        for idx in range(6):
            asked = await first.infill(gap(idx), f"doc{idx}")
            again = await second.infill(gap(idx), f"doc{idx}")
            assert again.text == asked.text
            assert again.cached_tokens > asked.cached_tokens
    for idx in (0, 1):  # neither has ever seen a document of the other's
        assert 'placements_total{placement="new"} 6.0' in team.placements(idx)


async def test_new_engines_drop_no_stream_and_the_gateways_stay(team: Team) -> None:
    urls = list(team.urls)
    assert await asyncio.to_thread(team.deploy) == "Nothing has changed."
    is_over = asyncio.Event()

    async def type_on(idx: int) -> int:
        num_answers = 0
        async with team.client(idx % 2) as client:
            while not is_over.is_set():
                await client.infill(gap(100 * idx + num_answers), f"doc{idx}")
                num_answers += 1
        return num_answers

    typists = [asyncio.create_task(type_on(idx)) for idx in range(4)]
    team.config["engine"]["max_context_tokens"] = 200
    assert await asyncio.to_thread(team.deploy) == "Rolled out: infill-engine."
    is_over.set()
    assert all(await asyncio.gather(*typists))  # raises what any of them has met
    assert team.urls == urls


async def test_new_gateways_let_what_they_answer_end(team: Team) -> None:
    old = list(team.urls)
    async with team.client(0) as first, team.client(1) as second:
        streams = [client.stream(long_gap(7)) for client in (first, second)]
        assert all([isinstance(await anext(stream), InfillUpdate) for stream in streams])
        team.config["gateway"]["limits"]["requests_per_minute"] = 100_000
        deploying = asyncio.create_task(asyncio.to_thread(team.deploy))
        for stream in streams:
            assert isinstance([event async for event in stream][-1], InfillResult)
        assert await deploying == "Rolled out: infill-gateway."
    assert len(team.urls) == 2
    assert not set(old) & set(team.urls)


async def test_a_lost_node_is_one_clear_error_and_its_documents_move(team: Team) -> None:
    ports = [int(url.rpartition(":")[2]) for url in team.urls]
    idx_here = next(idx for idx, port in enumerate(ports) if team.nodes.listens(0, port))
    async with team.client(idx_here) as client:
        streams = [client.stream(long_gap(idx), f"doc{idx}") for idx in range(4)]
        await asyncio.gather(*(anext(stream) for stream in streams))
        lost = await asyncio.to_thread(team.nodes.processes, 1)
        team.nodes.lose(1)

        async def rest(idx: int) -> None:
            # At the other node it ends with an answer, at this one with the one error allowed.
            try:
                assert isinstance([event async for event in streams[idx]][-1], InfillResult)
            except EngineUnavailable as error:
                assert "was lost. Ask again" in str(error)

        await asyncio.gather(*(rest(idx) for idx in range(4)))
        assert not any(process.is_running() for process in lost)
        for idx in range(20, 24):
            asked = await client.infill(gap(idx), f"doc{idx - 20}")
            again = await client.infill(gap(idx), f"doc{idx - 20}")
            assert again.text == asked.text
            assert again.cached_tokens > asked.cached_tokens
    give_up_s = time.monotonic() + PATIENCE_S
    while (engines := (await asyncio.to_thread(team.status))[0])["replicas"] != {"RUNNING": 2}:
        assert time.monotonic() < give_up_s, engines


def test_stop_takes_all_of_it_down_and_ray_stays(team: Team) -> None:
    assert team.run("stop").stdout == "Ended: infill-gateway, infill-engine.\n"
    names = [process.cmdline()[0] for process in team.nodes.processes(0)]
    assert not [name for name in names if "ServeReplica" in name]
    assert psutil.pid_exists(team.nodes.processes(0)[0].pid)
    status = team.run("status")
    assert status.returncode == 1
    assert status.stdout.count("not_started") == 2
    assert team.run("stop").stdout == "Nothing was running.\n"
