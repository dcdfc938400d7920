"""A gateway with a real socket, before engine replicas of this process with the scripted engine."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infill_client.address import EngineAddress
from infill_cluster.config import ClusterConfig, parse_config
from infill_cluster.deployments.engine_replica import EngineReplica
from infill_cluster.engine_call import HEARTBEAT, AnswerHead, AnswerPart, EngineCall
from infill_cluster.gateway.app import build_gateway_app
from infill_cluster.gateway.listener import Listener
from infill_cluster.gateway.metrics import GatewayMetrics
from infill_cluster.gateway.replicas import ReplicaLost
from infill_cluster.routing import AffinityRouter, Placement, affinity_key, rendezvous_order
from infill_cluster.security.audit import AuditLog
from infill_cluster.security.certificates import RenewableCertificate
from infill_cluster.security.tokens import TokenBook, add_token
from infill_engine.api import CancelToken, EngineUnavailable, InfillRequest, InfillUpdate
from tests.infill_engine.server.scripted_engine_process import ScriptedEngine

PATIENCE_S = 60.0
"""Longest wait for what must come: far above what a busy machine needs."""


class TalkativeEngine(ScriptedEngine):
    """The scripted engine; where the prefix says BIG its updates are of 100 kB each.

    Where it says STUCK it makes one step and then no other before `release` is set.
    """

    def __init__(self) -> None:
        import threading

        self.release = threading.Event()

    def stream(self, request: InfillRequest, cancel: CancelToken | None = None) -> Iterator[Any]:
        if "STUCK" in request.prefix:
            yield InfillUpdate(0, 0, "stuck", 0, (1.0,), 1)
            self.release.wait(PATIENCE_S)
        elif "BIG" in request.prefix:
            for step_idx in range(1000):
                if cancel is not None and cancel.is_cancelled:
                    break
                yield InfillUpdate(step_idx, 0, "x" * 100_000, 0, (1.0,), 1)
                # The queue to the socket is unbounded, as steps of a real engine are slow.
                time.sleep(0.002)
        yield from super().stream(request, cancel)


class LocalReplicas:
    """Engine replicas of this process, chosen as a cluster would choose them."""

    def __init__(self, num_replicas: int) -> None:
        self.engines = [TalkativeEngine() for _ in range(num_replicas)]
        self.replicas = {
            f"replica-{idx}": EngineReplica({"num_threads": 1}, {}, lambda _progress, e=engine: e)
            for idx, engine in enumerate(self.engines)
        }
        self.router = AffinityRouter()
        self.calls: list[EngineCall] = []
        self.lost_after: list[int] = []
        """How many chunks the next answers get to before their replica is lost."""

    async def ask(self, call: EngineCall, key: str) -> AsyncGenerator[AnswerPart, None]:
        self.calls.append(call)
        if not self.replicas:
            raise EngineUnavailable("No engine of the cluster can answer now. Ask again.")
        lost_after = self.lost_after.pop(0) if self.lost_after and key else None
        loads = {name: replica.num_running() for name, replica in self.replicas.items()}
        chosen = self.replicas[self.router.choose(key, loads).replica_id]
        num_chunks = 0
        async with contextlib.aclosing(chosen.answer(call)) as parts:
            async for part in parts:
                if part == HEARTBEAT:
                    continue
                if lost_after == num_chunks and not isinstance(part, AnswerHead):
                    raise ReplicaLost
                num_chunks += not isinstance(part, AnswerHead)
                yield part

    def placements(self) -> dict[Placement, int]:
        return dict(self.router.counts)

    def free_document(self, user: str) -> str:
        """Name a document of `user` that goes to a replica on which nothing runs."""
        free = [name for name, replica in self.replicas.items() if not replica.num_running()]
        documents = (f"document {idx}.py" for idx in range(1000))
        return next(
            document
            for document in documents
            if rendezvous_order(affinity_key(user, document), self.replicas, 1)[0] in free
        )

    @property
    def num_running(self) -> int:
        return sum(replica.num_running() for replica in self.replicas.values())


class RunningGateway:
    """A gateway that listens, and what the tests know of it."""

    def __init__(
        self,
        folder: Path,
        replicas: LocalReplicas,
        listener: Listener,
        certificate: RenewableCertificate | None,
    ) -> None:
        self.certificate = certificate
        self.replicas = replicas
        self.listener = listener
        self.host, self.port = listener.address
        self.url = f"http://{self.host}:{self.port}"
        self.tokens_file = folder / "tokens.json"
        self.audit_file = folder / "audit.jsonl"

    def token_of(self, user: str) -> str:
        return add_token(self.tokens_file, user)

    def address(self, token: str) -> EngineAddress:
        return EngineAddress(self.url, token)

    @contextlib.asynccontextmanager
    async def http(self, token: str, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=PATIENCE_S,
            **options,
        ) as client:
            yield client

    async def audited(self, num_lines: int) -> list[dict[str, Any]]:
        """Wait until so many requests have their line: it comes after the answer's last event."""
        await self.until(lambda: self.audit_file.read_text().count("\n") >= num_lines)
        return [json.loads(line) for line in self.audit_file.read_text().splitlines()]

    async def metrics(self) -> str:
        async with self.http(self.token_of("watcher")) as http:
            return (await http.get("/metrics")).text

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for a condition that must come true."""
        give_up_s = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < give_up_s, "it never came true"
            await asyncio.sleep(0.01)


def body_of(prefix: str) -> bytes:
    return json.dumps({"prefix": prefix, "suffix": "\n"}).encode()


@pytest.fixture
async def start_gateway(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """A function that starts gateways; they end with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            limits: dict[str, Any] | None = None, num_replicas: int = 2, **gateway: Any
        ) -> RunningGateway:
            add_token(tmp_path / "tokens.json", "first")
            config: ClusterConfig = parse_config(
                {
                    "gateway": {
                        "port": 0,
                        "tokens_file": str(tmp_path / "tokens.json"),
                        "audit_file": str(tmp_path / "audit.jsonl"),
                        "limits": limits or {},
                        **gateway,
                    }
                },
                "the test",
            )
            section = config.gateway
            replicas = LocalReplicas(num_replicas)
            audit = AuditLog(section.audit_file)
            book = TokenBook(tmp_path / "tokens.json")
            metrics = GatewayMetrics()
            app = build_gateway_app(section.limits, "embedded", replicas, book, audit, metrics)
            tls = section.tls
            certificate = None if tls is None else RenewableCertificate(tls.certificate, tls.key)
            listener = Listener(app, section, certificate)
            listener.watch(metrics)
            await listener.start()
            stack.push_async_callback(listener.drain, 1.0)
            for engine in replicas.engines:
                stack.callback(engine.release.set)
            return RunningGateway(tmp_path, replicas, listener, certificate)

        yield start
