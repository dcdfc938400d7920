"""A server that chats and nothing else, and a client that knows so without asking."""

from collections.abc import AsyncIterator, Iterator

import pytest

from infill_client.openai.client import OpenAiClient
from infill_client.openai.probe import Capabilities, ProbedServer

from .fake_server import FakeServer, running_server

CHAT = Capabilities("tiny", has_chat=True, continues=False, streams=True)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with running_server() as running:
        yield running


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[OpenAiClient]:
    async with OpenAiClient(ProbedServer(server.address, CHAT)) as running:
        yield running
