"""A cluster on this machine: real Ray, two replicas with the embedded model, a real gateway."""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from infill_client.address import EngineAddress
from infill_client.client import EngineClient
from infill_cluster.config import ClusterConfig, parse_config
from infill_cluster.ray_extra import require_ray
from infill_cluster.security.tokens import add_token
from infill_engine.api import (
    ConfigError,
    EngineBusy,
    EngineUnavailable,
    InfillRequest,
    InfillUpdate,
    RequestTooLarge,
)
from tests.e2e.cluster_engine import load
from tests.e2e.ray_here import PATIENCE_S, ray_folder

pytestmark = pytest.mark.e2e


class Cluster:
    """What the tests know of the cluster; the gateway's address stays the same for all of them."""

    def __init__(self, folder: Path, ray_files: Path, config: ClusterConfig, url: str) -> None:
        self.config = config
        self._ray_files = ray_files
        self.url = url
        self.token = add_token(folder / "tokens.json", "ada")
        self._audit_file = folder / "audit.jsonl"

    def client(self) -> EngineClient:
        return EngineClient(EngineAddress(self.url, self.token))

    def metrics(self) -> str:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.get(f"{self.url}/metrics", headers=headers, trust_env=False).text

    def placements(self) -> dict[str, int]:
        text = self.metrics()
        pattern = r'infill_gateway_placements_total\{placement="(\w+)"\} ([\d.]+)'
        return {name: round(float(num)) for name, num in re.findall(pattern, text)}

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._audit_file.read_text().splitlines()]

    def tracebacks(self) -> list[str]:
        """Files of Ray Serve's log in which something is told to have failed."""
        paths = self._ray_files.glob("session_*/logs/serve/*")
        return [path.name for path in paths if "Traceback" in path.read_text(errors="replace")]

    def num_running(self) -> int:
        from ray import serve

        handle = serve.get_deployment_handle("EngineReplica", app_name="infill-engine")
        answers = handle.broadcast("num_running")
        return sum(answers.results(timeout_s=PATIENCE_S))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("team")
    add_token(folder / "tokens.json", "first")
    config = parse_config(
        {
            "engine": {"num_threads": 1},
            "replicas": {
                "min": 2,
                "max": 2,
                "num_cpus": 0.25,
                "wedged_after_s": 12,
                "health_check_period_s": 1,
            },
            "gateway": {
                "port": 0,
                "tokens_file": str(folder / "tokens.json"),
                "audit_file": str(folder / "audit.jsonl"),
                "limits": {
                    "burst": 100_000,
                    "max_request_bytes": 100_000,
                    "request_timeout_s": 600,
                },
            },
        },
        "the test",
    )
    with ray_folder() as ray_files:
        require_ray(starts_one=True)
        from infill_cluster.deployments import ray_connection, rollout

        ray_connection.start_local_ray(2, 0, ray_files)
        try:
            replaced = rollout.roll_out(config, load)
            assert replaced == ["infill-engine", "infill-gateway"]
            (url,) = rollout.gateway_urls()
            yield Cluster(folder, ray_files, config, url)
            rollout.take_down()
        finally:
            ray_connection.stop_ray()


def until(is_so: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up_s, "it never came true"
        time.sleep(0.1)


def gap(idx: int) -> InfillRequest:
    prefix = f"def scale_{idx}(values, factor):\n    total_{idx} = 0\n    for value in "
    return InfillRequest(prefix, "\n", "python", "scale.py", max_new_tokens=12, seed=idx)


async def test_answers_are_those_of_a_single_engine(cluster: Cluster) -> None:
    single = load(lambda _stage, _fraction: None)
    async with cluster.client() as client:
        health = await client.health()
        answers = await asyncio.gather(*(client.infill(gap(idx), f"doc{idx}") for idx in range(6)))
    assert (health.status, health.model) == ("ready", "embedded")
    assert [answer.text for answer in answers] == [single.infill(gap(idx)).text for idx in range(6)]


async def test_a_document_goes_where_its_kv_cache_is(cluster: Cluster) -> None:
    before = cluster.placements()
    pids = set()
    async with cluster.client() as client:
        for _ in range(5):
            pids.add((await client.infill(InfillRequest("STEPS 1", ""), "main.py")).text)
        first = await client.infill(gap(77), "cached.py")
        again = await client.infill(gap(77), "cached.py")
    after = cluster.placements()
    assert len(pids) == 1
    assert after["hit"] - before["hit"] == 5
    assert again.cached_tokens > first.cached_tokens
    assert again.text == first.text


async def test_a_client_that_leaves_frees_the_replica(cluster: Cluster) -> None:
    async with cluster.client() as client:
        events = client.stream(InfillRequest("STEPS 100000", ""))
        assert isinstance(await anext(events), InfillUpdate)
        assert await asyncio.to_thread(cluster.num_running) == 1
        await events.aclose()
    await asyncio.to_thread(until, lambda: cluster.num_running() == 0)
    assert cluster.tracebacks() == []


async def test_who_may_not_or_asks_too_much_is_refused(cluster: Cluster) -> None:
    async with EngineClient(EngineAddress(cluster.url, "ils_wrong")) as client:
        with pytest.raises(ConfigError, match="token is wrong or was revoked"):
            await client.infill(gap(0))
    async with cluster.client() as client:
        with pytest.raises(RequestTooLarge, match="limit of 100000 bytes"):
            await client.infill(InfillRequest("x" * 200_000, ""))


async def test_a_replica_killed_in_mid_stream_is_an_error_that_asking_again_mends(
    cluster: Cluster,
) -> None:
    async with cluster.client() as client:
        events = client.stream(InfillRequest("STEPS 100000", ""))
        update = await anext(events)
        assert isinstance(update, InfillUpdate)
        os.kill(int(update.text.split()[0]), signal.SIGKILL)
        with pytest.raises(EngineUnavailable, match=r"was lost\. Ask again"):
            async for _event in events:
                pass
        answer = await client.infill(gap(1))
    assert answer.text


async def test_a_replica_that_dies_before_the_first_update_is_not_noticed(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with cluster.client() as client:
        answer = await client.infill(InfillRequest(f"DIE {tmp_path / 'died'}", "\n"))
    assert answer.finish_reason != "cancelled"
    assert (tmp_path / "died").exists()
    await asyncio.to_thread(until, lambda: cluster.audit()[-1]["num_retries"] == 1)


async def test_nothing_is_left_of_many_clients_and_a_killed_replica(cluster: Cluster) -> None:
    from infill_cluster.deployments.engine_loads import engine_loads

    await asyncio.to_thread(until, lambda: _num_replicas() == 2)
    single = load(lambda _stage, _fraction: None)

    async def ask_until_answered(idx: int) -> str:
        async with cluster.client() as client:
            while True:
                try:
                    return (await client.infill(gap(idx), f"doc{idx}")).text
                except (EngineBusy, EngineUnavailable):
                    await asyncio.sleep(0.2)

    async with cluster.client() as client:
        doomed = client.stream(InfillRequest("STEPS 100000", ""))
        update = await anext(doomed)
        assert isinstance(update, InfillUpdate)
        asking = [asyncio.create_task(ask_until_answered(idx)) for idx in range(12)]
        await asyncio.sleep(0.5)  # some are answered, some wait behind that stream
        os.kill(int(update.text.split()[0]), signal.SIGKILL)
        with pytest.raises(EngineUnavailable):
            async for _event in doomed:
                pass
        texts = await asyncio.gather(*asking)
    assert texts == [single.infill(gap(idx)).text for idx in range(12)]

    def nothing_is_left() -> bool:
        loads, metrics = engine_loads(), cluster.metrics()
        return (
            len(loads) == 2
            and all(load.is_idle for load in loads)
            and "infill_gateway_open_streams 0.0" in metrics
            and "infill_gateway_open_connections 1.0" in metrics  # which asks this
        )

    await asyncio.to_thread(until, nothing_is_left)


async def test_a_rolling_update_drops_no_stream(cluster: Cluster) -> None:
    from infill_cluster.deployments import rollout

    await asyncio.to_thread(until, lambda: _num_replicas() == 2)
    is_over = asyncio.Event()
    seen: set[str] = set()

    async def type_on(idx: int) -> int:
        num_answers = 0
        async with cluster.client() as client:
            while not is_over.is_set():
                # A second of steps: one such stream or another is always in progress.
                seen.add((await client.infill(InfillRequest("STEPS 20", ""), f"doc{idx}")).text)
                num_answers += 1
        return num_answers

    typists = [asyncio.create_task(type_on(idx)) for idx in range(4)]
    await asyncio.sleep(1)
    old = set(seen)
    changed = cluster.config.model_dump(mode="json")
    changed["engine"]["max_context_tokens"] = 200
    cluster.config = parse_config(changed, "the test")
    replaced = await asyncio.to_thread(rollout.roll_out, cluster.config, load)
    assert "infill-engine" in replaced
    await asyncio.to_thread(until, lambda: not any(map(psutil.pid_exists, map(int, old))))
    is_over.set()
    counts = await asyncio.gather(*typists)  # raises what any of them has met
    assert all(counts)
    assert seen - old, "no new replica has answered"


async def test_a_stopped_replica_is_given_up_and_avoided(cluster: Cluster) -> None:
    """As one behind a cut network: nothing of it comes, and nothing says that it is gone."""
    from infill_cluster.deployments.engine_loads import engine_loads

    async with cluster.client() as client:
        events = client.stream(InfillRequest("STEPS 100000", ""), "stopped.py")
        update = await anext(events)
        assert isinstance(update, InfillUpdate)
        pid = int(update.text.split()[0])
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(EngineUnavailable, match=r"was lost\. Ask again"):
                async for _event in events:
                    pass
            assert psutil.Process(pid).status() == psutil.STATUS_STOPPED, "Ray has noticed first"
            answer = await client.infill(InfillRequest("STEPS 1", ""), "stopped.py")
            assert int(answer.text) != pid
        finally:
            os.kill(pid, signal.SIGKILL)
    # Ray goes on counting it for a while: the next test wants two that answer.
    await asyncio.to_thread(until, lambda: len({load.pid for load in engine_loads()} - {pid}) == 2)


async def test_a_wedged_replica_is_replaced(cluster: Cluster) -> None:
    async with cluster.client() as client:
        pid = int((await client.infill(InfillRequest("STEPS 1", ""), "stuck.py")).text)
        stuck = asyncio.create_task(client.infill(InfillRequest("STUCK", ""), "stuck.py"))
        # Not tried with another replica: it would be stuck as well.
        with pytest.raises(EngineUnavailable, match="was lost"):
            await stuck
        assert not psutil.pid_exists(pid)
        assert (await client.infill(gap(2))).text
    await asyncio.to_thread(until, lambda: _num_replicas() == 2)


def test_what_has_not_changed_is_left_alone(cluster: Cluster) -> None:
    from infill_cluster.deployments import rollout

    assert rollout.roll_out(cluster.config) == []
    parts = rollout.cluster_status()
    assert [part.status for part in parts] == ["RUNNING", "RUNNING"]


async def test_more_to_do_brings_more_replicas(cluster: Cluster) -> None:
    from infill_cluster.deployments import rollout

    changed = cluster.config.model_dump(mode="json")
    changed["replicas"].update(max=3, target_ongoing_requests=1, upscale_delay_s=0)
    await asyncio.to_thread(rollout.roll_out, parse_config(changed, "the test"), load)
    await asyncio.to_thread(until, lambda: _num_replicas() == 2)
    async with cluster.client() as client:
        streams = [
            asyncio.create_task(client.infill(InfillRequest("STEPS 100000", ""), f"doc{idx}"))
            for idx in range(6)
        ]
        await asyncio.to_thread(until, lambda: _num_replicas() == 3)
        for stream in streams:
            assert not stream.done()
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)


def _num_replicas() -> int:
    from infill_cluster.deployments import rollout

    return rollout.cluster_status()[0].replicas.get("RUNNING", 0)
