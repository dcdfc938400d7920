"""The client against a server of OpenAI's API: answers, refusals, and connections that break."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infill_client.address import EngineAddress
from infill_client.openai.client import OpenAiClient
from infill_client.openai.errors import LONGEST_WAIT_S
from infill_client.openai.probe import Capabilities, ProbedServer, probe
from infill_engine.api import (
    ConfigError,
    EngineBusy,
    EngineUnavailable,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    RequestInvalid,
    RequestTooLarge,
)

from .fake_server import FakeServer

SECRET = "only_in_the_code"
GAP = InfillRequest(f"{SECRET} = 1\nx = ", "\nprint(x)\n", "python", mode="block")
CHAT = Capabilities("tiny", has_chat=True, continues=False, streams=True)


async def test_updates_then_the_result(server: FakeServer, client: OpenAiClient) -> None:
    server.pieces = ["```python\n", "foo", "(bar", ")\nbaz()", "\n```", "\nDone."]
    events = [event async for event in client.stream(GAP)]
    *updates, result = events
    assert all(isinstance(update, InfillUpdate) for update in updates)
    assert isinstance(result, InfillResult)
    assert result.text == "foo(bar)\nbaz()"
    settled = [update.text[: update.settled_chars] for update in updates]  # type: ignore[union-attr]
    assert settled == sorted(settled, key=len)
    assert all(result.text.startswith(text) for text in settled)
    assert "foo(" in settled
    assert result.finish_reason == "converged"
    assert result.leading_confidence == (), "nothing is claimed"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 12), max_size=12))
def test_any_chunking_gives_the_same_text(lengths: list[int]) -> None:
    answer = "Sure!\n```python\nfoo = 'é😀'\nreturn foo\n```\nThat is it."
    pieces, begin = [], 0
    for length in lengths:
        pieces.append(answer[begin : begin + length])
        begin += length
    pieces.append(answer[begin:])
    _SHARED.pieces = pieces

    async def ask() -> str:
        async with OpenAiClient(ProbedServer(_SHARED.address, CHAT)) as client:
            return (await client.infill(GAP)).text

    assert asyncio.run(ask()) == "foo = 'é😀'\nreturn foo"


_SHARED = FakeServer()


@pytest.fixture(scope="module", autouse=True)
def shared_server() -> Iterator[None]:
    """One server for all examples of a property."""
    _SHARED.start()
    yield
    _SHARED.stop()


async def test_a_connection_is_used_again(server: FakeServer, client: OpenAiClient) -> None:
    for _ in range(3):
        await client.infill(GAP)
    assert len(set(server.ports)) == 1


async def test_a_line_ends_with_the_line(server: FakeServer, client: OpenAiClient) -> None:
    server.pieces = ["```\n", "1 + 2\n", *["print(x)\n"] * 50]
    server.hold()  # nothing comes after the first piece until then
    request = InfillRequest("x = ", "", "python", mode="line")
    task = asyncio.create_task(client.infill(request))
    await until(lambda: bool(server.requests))
    server.release()
    result = await task
    assert (result.text, result.finish_reason) == ("1 + 2", "line_settled")
    assert result.num_steps < 10, "the rest was not read"


async def test_closing_the_stream_closes_the_connection(
    server: FakeServer, client: OpenAiClient
) -> None:
    server.hold()
    async with aclosing(client.stream(GAP)) as events:
        await anext(events)
    await until(lambda: server.num_abandoned == 1)


async def test_cancelling_the_task_closes_the_connection(
    server: FakeServer, client: OpenAiClient
) -> None:
    server.hold()
    task = asyncio.create_task(client.infill(GAP))
    await until(lambda: bool(server.requests))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: server.num_abandoned == 1)


async def test_the_deadline_ends_with_what_there_is(server: FakeServer) -> None:
    now_s = 0.0
    client = OpenAiClient(ProbedServer(server.address, CHAT), clock=lambda: now_s)
    server.pieces = ["foo(bar)\nbaz", "never read"]
    server.hold()
    request = InfillRequest("x = ", "", "python", mode="block", deadline_ms=60_000)
    async with aclosing(client.stream(request)) as events:
        first = await anext(events)
        now_s = 60.0
        result = await anext(events)
    assert isinstance(result, InfillResult)
    assert (result.text, result.finish_reason) == ("foo(bar)\nbaz", "deadline")
    assert isinstance(first, InfillUpdate)
    assert first.text[: first.settled_chars] == "foo(bar)\n", "of the word more may come"
    await until(lambda: server.num_abandoned == 1)
    await client.aclose()


async def test_an_answer_without_end_is_bounded(server: FakeServer, client: OpenAiClient) -> None:
    server.pieces = ["x" * 1000] * 1000
    request = InfillRequest("x = ", "", "python", mode="block", max_new_tokens=8)
    result = await client.infill(request)
    assert result.finish_reason == "max_steps"
    assert len(result.text) < 5000


async def test_a_cut_short_answer_says_so(server: FakeServer, client: OpenAiClient) -> None:
    server.finish_reason = "length"
    assert (await client.infill(GAP)).finish_reason == "max_steps"


def refusal(status_code: int, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status_code, named, body if body is not None else {"error": {"message": SECRET}}


@pytest.mark.parametrize(
    ("refuse_with", "error_class", "words"),
    [
        (refusal(401), ConfigError, "wants a token and got none .*infill-ls engine login"),
        (refusal(403), ConfigError, "HTTP 403"),
        (
            refusal(404, {"message": f"The model {SECRET} does not exist."}),
            ConfigError,
            "has no model 'tiny'",
        ),
        (refusal(404, {"detail": "Not Found"}), EngineUnavailable, "does not speak OpenAI's"),
        (refusal(400, {"error": {"type": "BadRequestError"}}), RequestInvalid, "BadRequestError"),
        (refusal(422, {"detail": [{"input": SECRET}]}), RequestInvalid, "HTTP 422"),
        (refusal(413), RequestTooLarge, "even after it was cut"),
        (refusal(429), EngineBusy, "asked again in 1 s"),
        (refusal(503, retry_after="7"), EngineBusy, "asked again in 7 s"),
        (refusal(500), InfillError, "failed on this request"),
        (refusal(502), EngineUnavailable, "does not serve its model now"),
        (refusal(302), EngineUnavailable, "does not speak OpenAI's"),
    ],
)
async def test_refusals(
    server: FakeServer,
    client: OpenAiClient,
    refuse_with: Any,
    error_class: type[InfillError],
    words: str,
) -> None:
    server.refuse_with = refuse_with
    with pytest.raises(error_class, match=words) as raised:
        await client.infill(GAP)
    assert SECRET not in str(raised.value)
    assert isinstance(raised.value, error_class)


async def test_the_wrong_token(server: FakeServer) -> None:
    server.token = "right"
    with pytest.raises(ConfigError, match="did not accept the token"):
        await probe(EngineAddress(server.url, "wrong"))
    with pytest.raises(ConfigError, match="wants a token and got none"):
        await probe(EngineAddress(server.url, ""))
    assert await probe(EngineAddress(server.url, "right"))


async def test_a_busy_server_is_left_alone_as_long_as_it_says(server: FakeServer) -> None:
    now_s = 100.0
    client = OpenAiClient(ProbedServer(server.address, CHAT), clock=lambda: now_s)
    server.refuse_with, server.num_refused = refusal(429, retry_after="20"), 1
    for _ in range(3):
        with pytest.raises(EngineBusy, match="HTTP 429"):
            await client.infill(GAP)
    assert len(server.requests) == 1
    now_s += 20.0
    assert (await client.infill(GAP)).text == "1"
    await client.aclose()


@pytest.mark.parametrize(
    ("retry_after", "least_s", "most_s"),
    [
        ("99999999", LONGEST_WAIT_S, LONGEST_WAIT_S),
        ("-5", 1, 1),
        ("nonsense", 1, 1),
        ("nan", 1, 1),
        (format_datetime(datetime.now(UTC) + timedelta(days=400)), LONGEST_WAIT_S, LONGEST_WAIT_S),
        (format_datetime(datetime.now(UTC) - timedelta(days=400)), 1, 1),
    ],
)
async def test_a_clock_that_is_wrong_blocks_for_a_minute_at_most(
    server: FakeServer, client: OpenAiClient, retry_after: str, least_s: float, most_s: float
) -> None:
    server.refuse_with = refusal(429, retry_after=retry_after)
    with pytest.raises(EngineBusy) as busy:
        await client.infill(GAP)
    assert least_s <= busy.value.wait_s <= most_s  # type: ignore[attr-defined]


async def test_what_breaks_off_before_its_first_word_is_asked_again(
    server: FakeServer, client: OpenAiClient
) -> None:
    server.break_after, server.num_broken = 0, 1
    assert (await client.infill(GAP)).text == "1"
    assert len(server.requests) == 2


async def test_what_breaks_off_later_is_an_error(server: FakeServer, client: OpenAiClient) -> None:
    server.pieces, server.break_after = ["foo(", "bar"], 1
    with pytest.raises(EngineUnavailable, match="broke off in the midst of an answer"):
        await client.infill(GAP)
    assert len(server.requests) == 1


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)
