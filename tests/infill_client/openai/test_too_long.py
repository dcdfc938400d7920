"""What is longer than the model's context: cut by what the server says of it, or refused."""

import json
from typing import Any

import pytest

from infill_client.openai.client import OpenAiClient
from infill_engine.api import InfillRequest, RequestTooLarge

from .fake_server import FakeServer

VLLM = "This model's maximum context length is 1000 tokens. However, you requested 4000 tokens."
VLLM_COUNTS_NO_FURTHER = (
    "This model's maximum context length is 1000 tokens. However, your prompt contains at least "
    "1001 input tokens, which exceeds this limit even without any output tokens."
)
LLAMA_CPP = (
    "request (4000 tokens) exceeds the available context size (1000 tokens), try increasing it"
)
LONG = InfillRequest("# above\n" + "x = 1\n" * 3000, "y = 2\n" * 3000, "python", mode="block")


def too_long(message: str) -> tuple[int, dict[str, str], Any]:
    return 400, {}, {"error": {"message": message}}


@pytest.mark.parametrize(
    ("message", "share"),
    [
        (VLLM, 0.225),
        (VLLM_COUNTS_NO_FURTHER, 0.5),
        (LLAMA_CPP, 0.225),
        ("the prompt exceeds the context window", 0.5),
    ],
)
async def test_what_is_too_long_is_cut(
    server: FakeServer, client: OpenAiClient, message: str, share: float
) -> None:
    server.refuse_with, server.num_refused = too_long(message), 1
    assert (await client.infill(LONG)).text == "1"
    first, second = (len(json.dumps(body)) for _, body in server.requests)
    assert first * (share - 0.2) < second < first * (share + 0.2)
    await client.infill(LONG)
    assert len(json.dumps(server.asked)) == second, "it is remembered"


async def test_what_stays_too_long_is_refused(server: FakeServer, client: OpenAiClient) -> None:
    server.refuse_with = (400, {}, {"error": {"code": "context_length_exceeded"}})
    with pytest.raises(RequestTooLarge, match=r"even after it was cut.* context\.maxTokens"):
        await client.infill(LONG)
    assert len(server.requests) == 5


async def test_what_is_still_too_long_is_cut_again(
    server: FakeServer, client: OpenAiClient
) -> None:
    server.refuse_with, server.num_refused = too_long(VLLM_COUNTS_NO_FURTHER), 3
    assert (await client.infill(LONG)).text == "1"
    lengths = [len(json.dumps(body)) for _, body in server.requests]
    assert lengths == sorted(lengths, reverse=True) and lengths[-1] < lengths[0] / 4


async def test_a_selection_is_never_cut(client: OpenAiClient, server: FakeServer) -> None:
    request = InfillRequest("", "", mode="rewrite", selection="x = 1\n" * 5000)
    with pytest.raises(RequestTooLarge, match=r"The selection has 30000 characters.* Select less"):
        await client.infill(request)
    assert server.requests == []
