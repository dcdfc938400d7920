"""Servers that send odd bytes, too many of them, or none: bounded, and told apart."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infill_client.address import EngineAddress
from infill_client.openai.client import OpenAiClient
from infill_client.openai.probe import Capabilities, ProbedServer, probe
from infill_engine.api import (
    ConfigError,
    EngineUnavailable,
    InfillError,
    InfillRequest,
    InfillResult,
    RequestTooLarge,
)

CHAT = Capabilities("tiny", has_chat=True, continues=False, streams=True)
GAP = InfillRequest("x = ", "", "python", mode="block", deadline_ms=30_000)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[EngineAddress]:
    """A server that reads a request and leaves the rest to `answer`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                await reader.readexactly(int(line.split(b":")[1]))
        try:
            await answer(writer)
        except ConnectionError:
            pass  # the client had enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield EngineAddress(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "")
    finally:
        server.close()


async def ask(answer: Answer, request: InfillRequest = GAP) -> InfillResult:
    async with (
        answering(answer) as address,
        OpenAiClient(ProbedServer(address, CHAT)) as client,
    ):
        return await client.infill(request)


def events(*texts: str, line_end: str = "\n") -> bytes:
    lines = [": hello", ""]
    for text in texts:
        lines += [
            f"data: {json.dumps({'choices': [{'delta': {'content': text}}]}, ensure_ascii=False)}",
            "",
        ]
    return line_end.join([*lines, "data: [DONE]", "", ""]).encode()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 300), max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_bytes_may_come_in_any_pieces(lengths: list[int], line_end: str) -> None:
    body = events("```\nfoo(", "'é😀", "\u2028')", "\n```", line_end=line_end)

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        begin = 0
        for length in lengths:
            writer.write(body[begin : begin + length])
            await writer.drain()
            await asyncio.sleep(0)
            begin += length
        writer.write(body[begin:])
        await writer.drain()

    assert asyncio.run(ask(answer)).text == "foo('é😀\u2028')"


def saying(body: bytes, head: bytes = HEAD) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head + body)
        await writer.drain()

    return answer


def as_json(body: bytes, status: str = "200 OK") -> Answer:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    return saying(body, head.encode())


@pytest.mark.parametrize(
    "answer",
    [
        saying(b"data: {not json}\n\n"),
        saying(b'data: {"text": "of another API"}\n\n'),
        saying(b"data: []\n\n"),
        as_json(b"<html>"),
        as_json(b"{}"),
        as_json(b'{"choices": 7}'),
        as_json(b"[" * 100_000),
        as_json(b"\xff\xfe"),
    ],
)
async def test_an_answer_that_is_none(answer: Answer) -> None:
    with pytest.raises(EngineUnavailable, match="does not speak OpenAI's HTTP API"):
        await ask(answer)


@pytest.mark.parametrize(
    ("error", "error_class", "words"),
    [
        ({"message": "secret", "code": 500}, InfillError, "failed on this request"),
        ({"message": "secret", "code": 401}, ConfigError, "wants a token"),
        ({"message": "maximum context length is 9 tokens"}, RequestTooLarge, "was cut"),
        ("secret", InfillError, "failed on this request"),
    ],
)
async def test_an_error_in_the_midst_of_an_answer(
    error: object, error_class: type[InfillError], words: str
) -> None:
    body = events("foo").partition(b"data: [DONE]")[0]
    body += f"data: {json.dumps({'error': error})}\n\n".encode()
    with pytest.raises(error_class, match=words) as raised:
        await ask(saying(body))
    assert "secret" not in str(raised.value)


async def test_a_body_without_end_is_not_read_to_it() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD.replace(b"text/event-stream", b"application/json"))
        while True:
            writer.write(b" " * 1_000_000)
            await writer.drain()

    with pytest.raises(RequestTooLarge, match="answered with more than 4000000 bytes"):
        await ask(answer)


@pytest.mark.parametrize("first", [b"", HEAD, HEAD + b"data: ", HEAD + b": ping\n\n"])
async def test_one_that_falls_silent_ends_with_the_deadline(first: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        await asyncio.Event().wait()

    request = InfillRequest("x = ", "", "python", mode="block", deadline_ms=300)
    result = await ask(answer, request)
    assert (result.text, result.finish_reason) == ("", "deadline")


async def test_a_line_without_end_ends_with_the_deadline() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"data: ")
        while True:
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.sleep(0.001)

    request = InfillRequest("x = ", "", "python", mode="block", deadline_ms=300)
    assert (await ask(answer, request)).finish_reason == "deadline"


async def test_another_kind_of_server_is_told_apart() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>"
    async with answering(saying(b"", page)) as address:
        with pytest.raises(EngineUnavailable, match="it lists no models"):
            await probe(address)
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with answering(saying(b"", missing)) as address:
        with pytest.raises(EngineUnavailable, match=r"does not speak OpenAI's HTTP API \(HTTP 404"):
            await probe(address)
    async with answering(saying(b"SSH-2.0-OpenSSH\r\n", b"")) as address:
        with pytest.raises(EngineUnavailable):
            await probe(address)
