"""What a client meets at a gateway: a real socket, real engine replicas, a scripted model."""

import asyncio
import contextlib
import json
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from infill_client.client import EngineClient
from infill_cluster.security.tokens import revoke_tokens
from infill_engine.api import (
    ConfigError,
    EngineBusy,
    EngineUnavailable,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    RequestTooLarge,
)
from tests.infill_cluster.conftest import PATIENCE_S, body_of
from tests.infill_cluster.self_signed import write_certificate

SECRET = "hunter2"


async def test_an_engine_client_notices_no_difference(start_gateway: Any) -> None:
    gateway = await start_gateway()
    async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
        events = [event async for event in client.stream(InfillRequest("x = ", "\n"), "doc")]
        health = await client.health()
    assert [type(event) for event in events] == [InfillUpdate] * 3 + [InfillResult]
    assert events[-1].text == "return left + right"
    assert (health.status, health.details["model"]) == ("ready", "scripted")


async def test_the_audit_line_says_who_and_how_much_but_nothing_of_the_code(
    start_gateway: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    gateway = await start_gateway()
    request = InfillRequest(f"password = '{SECRET}'", "\n", path=f"{SECRET}.py")
    failing = InfillRequest(f"FAIL {SECRET}", "\n")
    async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
        await client.infill(request, f"{SECRET}.py")
        with pytest.raises(Exception, match="ValueError"):
            await client.infill(failing, f"{SECRET}.py")
    done, failed = await gateway.audited(2)
    assert (done["user"], done["outcome"], done["num_tokens"]) == ("ada", "converged", 4)
    assert (done["cached_tokens"], done["prefilled_tokens"]) == (2, 3)
    assert done["request_bytes"] > 0
    assert (failed["outcome"], failed["status_code"]) == ("internal", 200)
    metrics = await gateway.metrics()
    assert 'infill_gateway_requests_total{outcome="converged"} 1.0' in metrics
    assert 'infill_gateway_placements_total{placement="hit"} 1.0' in metrics
    ours = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore", "sse_"))]
    written = "".join([*(record.getMessage() for record in ours), metrics])
    written += gateway.audit_file.read_text()
    assert SECRET not in written
    assert "ada" not in metrics


@pytest.mark.parametrize("path", ["/v1/infill", "/v1/health", "/metrics", "/nowhere"])
async def test_every_path_wants_a_token_of_the_team(start_gateway: Any, path: str) -> None:
    gateway = await start_gateway()
    for got in (b"", b"Bearer", b"Bearer ils_wrong", b"Basic x", b"Bearer \xe9"):
        headers = {b"Authorization": got}
        async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
            answer = await http.post(path, content=b"x" * 1000, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "config")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert "infill_gateway_unauthorized 5.0" in await gateway.metrics()


async def test_a_revoked_token_is_refused_from_the_next_request_on(start_gateway: Any) -> None:
    gateway = await start_gateway()
    async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
        await client.infill(InfillRequest("x", ""))
        revoke_tokens(gateway.tokens_file, "ada")
        with pytest.raises(ConfigError, match="was revoked"):
            await client.infill(InfillRequest("x", ""))


async def test_an_oversized_request_is_told_the_limit(start_gateway: Any) -> None:
    gateway = await start_gateway({"max_request_bytes": 5000})
    async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
        with pytest.raises(RequestTooLarge, match="limit of 5000 bytes"):
            await client.infill(InfillRequest("x" * 6000, ""))
        await client.infill(InfillRequest("x" * 100, ""))
    assert [line["outcome"] for line in await gateway.audited(2)] == [
        "request_too_large",
        "converged",
    ]


async def test_an_invalid_request_has_the_engines_own_answer(start_gateway: Any) -> None:
    gateway = await start_gateway()
    async with gateway.http(gateway.token_of("ada")) as http:
        answer = await http.post("/v1/infill", content=b'{"prefix": ""}')
    assert answer.status_code == 422
    assert "suffix is missing" in answer.json()["message"]
    assert (await gateway.audited(1))[0]["outcome"] == "request_invalid"


async def test_who_asks_too_often_is_told_when_to_come_back(start_gateway: Any) -> None:
    gateway = await start_gateway({"requests_per_minute": 1, "burst": 2})
    async with gateway.http(gateway.token_of("ada")) as http:
        answers = [await http.post("/v1/infill", content=body_of("x")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["code"] == EngineBusy.code
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    async with EngineClient(gateway.address(gateway.token_of("grace"))) as client:
        await client.infill(InfillRequest("x", ""))


async def test_who_opens_hundreds_of_streams_is_refused_and_nobody_else_notices(
    start_gateway: Any,
) -> None:
    gateway = await start_gateway({"max_streams_per_user": 2, "burst": 100_000})
    limits = httpx.Limits(max_connections=None)
    async with gateway.http(gateway.token_of("greedy"), limits=limits) as http:

        async def open_stream() -> int:
            async with http.stream("POST", "/v1/infill", content=body_of("SLOW")) as answer:
                if answer.status_code == 200:
                    await asyncio.sleep(PATIENCE_S)
                return answer.status_code

        streams = [asyncio.create_task(open_stream()) for _ in range(300)]
        await gateway.until(lambda: sum(stream.done() for stream in streams) >= 298)
        assert {s.result() for s in streams if s.done()} == {429}
        async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
            assert gateway.replicas.num_running == 2
            document = gateway.replicas.free_document("ada")
            answer = await client.infill(InfillRequest("x", ""), document)
            assert answer.finish_reason == "converged"
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    await gateway.until(lambda: gateway.replicas.num_running == 0)
    assert "infill_gateway_open_streams 0.0" in await gateway.metrics()


async def test_a_client_that_leaves_ends_the_work_on_its_request(start_gateway: Any) -> None:
    gateway = await start_gateway()
    async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
        events = client.stream(InfillRequest("SLOW", ""))
        assert isinstance(await anext(events), InfillUpdate)
        assert gateway.replicas.num_running == 1
        await events.aclose()
    await gateway.until(lambda: gateway.replicas.num_running == 0)
    assert (await gateway.audited(1))[0]["outcome"] == "disconnected"


async def test_a_replica_lost_before_it_has_answered_is_not_noticed(start_gateway: Any) -> None:
    gateway = await start_gateway()
    gateway.replicas.lost_after = [0]
    async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
        assert (await client.infill(InfillRequest("x", ""))).finish_reason == "converged"
    assert (await gateway.audited(1))[0]["num_retries"] == 1
    assert "infill_gateway_retries_total 1.0" in await gateway.metrics()


@pytest.mark.parametrize("lost_after", [[0, 0], [2]])
async def test_a_replica_lost_for_good_is_an_error_that_asking_again_mends(
    start_gateway: Any, lost_after: list[int]
) -> None:
    gateway = await start_gateway()
    gateway.replicas.lost_after = lost_after
    async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
        with pytest.raises(EngineUnavailable, match=r"was lost\. Ask again"):
            await client.infill(InfillRequest("x", ""))
        assert (await client.infill(InfillRequest("x", ""))).finish_reason == "converged"
    assert (await gateway.audited(1))[0]["outcome"] == "engine_unavailable"


async def test_without_a_replica_the_gateway_says_so(start_gateway: Any) -> None:
    gateway = await start_gateway()
    gateway.replicas.replicas.clear()
    async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
        health = await client.health()
        assert (health.status, health.stage) == ("loading", "no replica of the engine is ready")
        with pytest.raises(EngineUnavailable, match="No engine of the cluster"):
            await client.infill(InfillRequest("x", ""))


async def test_an_engine_can_tell_users_apart_and_knows_nobody_by_name(start_gateway: Any) -> None:
    gateway = await start_gateway()
    for user in ("ada", "bob"):
        async with EngineClient(gateway.address(gateway.token_of(user))) as client:
            for document in ("a.py", "b.py"):
                await client.infill(InfillRequest("x", ""), f"client {document}")
    asked = [dict(call.headers)["x-infill-document"] for call in gateway.replicas.calls]
    users, documents = zip(*(one.split(" ") for one in asked), strict=True)
    assert users[0] == users[1] != users[2] == users[3]
    assert len(set(documents)) == 4
    assert not any(name in one for one in asked for name in ("ada", "bob", "py"))


async def test_two_users_documents_of_one_name_do_not_supersede_each_other(
    start_gateway: Any,
) -> None:
    gateway = await start_gateway(num_replicas=1)
    tokens = [gateway.token_of(user) for user in ("ada", "grace", "joan")]
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(EngineClient(gateway.address(token)))
            for token in tokens
        ]
        first = clients[0].stream(InfillRequest("SLOW", ""), "main.py")
        await anext(first)
        waiting = [
            asyncio.create_task(client.infill(InfillRequest("x", ""), "main.py"))
            for client in clients[1:]
        ]
        await gateway.until(lambda: gateway.replicas.num_running == 3)
        await first.aclose()
        results = await asyncio.gather(*waiting)
    assert [result.finish_reason for result in results] == ["converged", "converged"]


async def test_who_names_no_document_has_turns_of_their_own_all_the_same(
    start_gateway: Any,
) -> None:
    gateway = await start_gateway()
    async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
        for document in ("", "", "a.py"):
            await client.infill(InfillRequest("x", ""), document)
    told = [dict(call.headers)["x-infill-document"].split(" ") for call in gateway.replicas.calls]
    users, documents = zip(*told, strict=True)
    assert len(set(users)) == 1
    assert len(set(documents)) == 3


async def test_tls_with_the_teams_certificate(start_gateway: Any, tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path)
    tls = {"certificate": str(certificate), "key": str(tmp_path / "key.pem")}
    gateway = await start_gateway(tls=tls)
    headers = {"Authorization": f"Bearer {gateway.token_of('ada')}"}
    url = f"https://127.0.0.1:{gateway.port}/v1/infill"
    trusting = ssl.create_default_context(cafile=certificate)
    async with httpx.AsyncClient(verify=trusting, trust_env=False, timeout=PATIENCE_S) as http:
        answer = await http.post(url, content=body_of("x"), headers=headers)
    assert answer.status_code == 200
    assert "event: done" in answer.text
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        with pytest.raises(httpx.ConnectError, match="self-signed"):
            await http.post(url, content=body_of("x"), headers=headers)
        with pytest.raises(httpx.HTTPError):
            await http.post(url.replace("https", "http"), content=body_of("x"), headers=headers)


async def test_a_renewed_certificate_is_shown_without_a_restart(
    start_gateway: Any, tmp_path: Path
) -> None:
    certificate = write_certificate(tmp_path, expires_days=1)
    tls = {"certificate": str(certificate), "key": str(tmp_path / "key.pem")}
    gateway = await start_gateway(tls=tls)
    headers = {"Authorization": f"Bearer {gateway.token_of('ada')}"}
    url = f"https://127.0.0.1:{gateway.port}/metrics"
    first_expires = gateway.certificate.expires

    async def is_answered() -> bool:
        """Whether a new connection shows the certificate that is in the file now."""
        trusting = ssl.create_default_context(cafile=certificate)
        async with httpx.AsyncClient(verify=trusting, trust_env=False, timeout=PATIENCE_S) as http:
            try:
                return (await http.get(url, headers=headers)).status_code == 200
            except httpx.ConnectError:
                return False

    assert await is_answered()
    write_certificate(tmp_path, expires_days=90)
    assert not await is_answered()
    gateway.certificate.refresh()
    assert await is_answered()
    renewed = gateway.certificate.expires
    assert renewed > first_expires
    write_certificate(tmp_path, begins_days=-9, expires_days=-8)
    gateway.certificate.refresh()
    assert gateway.certificate.expires == renewed


async def test_draining_lets_a_stream_end_and_takes_no_other(start_gateway: Any) -> None:
    gateway = await start_gateway()
    async with EngineClient(gateway.address(gateway.token_of("ada"))) as client:
        events = client.stream(InfillRequest("STUCK", ""))
        assert isinstance(await anext(events), InfillUpdate)
        draining = asyncio.create_task(gateway.listener.drain(PATIENCE_S))

        async def is_refused() -> bool:
            try:
                _reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
            except OSError:
                return True
            writer.close()
            return False

        while not await is_refused():
            await asyncio.sleep(0.01)
        for engine in gateway.replicas.engines:
            engine.release.set()
        rest = [event async for event in events]
    assert isinstance(rest[-1], InfillResult)
    await draining


async def test_a_failure_of_the_gateway_itself_tells_only_its_type(start_gateway: Any) -> None:
    gateway = await start_gateway()
    del gateway.replicas.router
    async with gateway.http(gateway.token_of("ada")) as http:
        answer = await http.post("/v1/infill", content=body_of(SECRET))
    assert answer.status_code == 500
    assert json.loads(answer.text)["message"].endswith("(AttributeError).")
    assert (await gateway.audited(1))[0]["outcome"] == "internal"
