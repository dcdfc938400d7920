"""What is found out about a server, and how each kind is then asked."""

from typing import Any

import pytest

from infill_client.openai.calls import api_url
from infill_client.openai.client import OpenAiClient
from infill_client.openai.fim import FAMILIES
from infill_client.openai.probe import probe
from infill_engine.api import (
    ConfigError,
    EngineUnavailable,
    InfillRequest,
    Mode,
    RequestInvalid,
    Snippet,
)

from .fake_server import FakeServer, running_server

GAP = InfillRequest("def add(a, b):\n    return ", "\n\nprint(1)\n", "python", "a.py")
QWEN, STARCODER, DEEPSEEK = FAMILIES


async def ask(server: FakeServer, request: InfillRequest = GAP) -> dict[str, Any]:
    """Probe, ask, and return what the server was asked."""
    async with OpenAiClient(await probe(server.address)) as client:
        assert (await client.infill(request)).text
    return server.asked


async def test_a_plain_chat_server_is_told_both_sides_suffix_first() -> None:
    with running_server(pieces=["```\n", "a + b", "\n```"]) as server:
        asked = await ask(server)
        (message,) = asked["messages"]
        assert message["role"] == "user"
        words = message["content"]
        assert words.index("print(1)") < words.index("def add")
        assert (asked["model"], asked["stream"]) == ("tiny", True)
        assert "continue_final_message" not in asked and "a.py" in words


async def test_one_that_continues_is_given_the_line() -> None:
    with running_server(pieces=["a", " + b\n"], continues=True) as server:
        asked = await ask(server)
        user, assistant = asked["messages"]
        assert assistant == {
            "role": "assistant",
            "content": "```python\ndef add(a, b):\n    return",
        }
        assert "def add" not in user["content"], "it is in the model's own message"
        assert asked["continue_final_message"] is True
        assert asked["add_generation_prompt"] is False


@pytest.mark.parametrize("adds_no_turn", [False, True])
@pytest.mark.parametrize(
    ("how", "expected"), [("continues", True), ("always_continues", True), ("", False)]
)
async def test_who_continues_is_told_by_the_prompts_length(
    how: str, expected: bool, adds_no_turn: bool
) -> None:
    with running_server(adds_no_turn=adds_no_turn, **({how: True} if how else {})) as server:
        assert (await probe(server.address)).capabilities.continues is expected


async def test_one_that_takes_a_suffix_is_given_one() -> None:
    with running_server(pieces=["a + b"], takes_suffix=True, has_chat=False) as server:
        asked = await ask(server)
        assert (asked["prompt"], asked["suffix"]) == (GAP.prefix, GAP.suffix)
        assert asked["stop"] == ["\n"], "a line was asked for"


@pytest.mark.parametrize(
    ("family", "model"),
    [
        (QWEN, "Qwen/Qwen2.5-Coder-7B"),
        (STARCODER, "bigcode/starcoder2-3b"),
        (DEEPSEEK, "deepseek-coder-6.7b-base"),
    ],
)
async def test_fim_tokens_are_found(family: Any, model: str) -> None:
    with running_server(pieces=["a + b"], fim=family.all_tokens, models=[{"id": model}]) as server:
        asked = await ask(server)
        assert asked["prompt"] == family.join(GAP.prefix, GAP.suffix)
        assert set(family.all_tokens) < set(asked["stop"])
        assert len(asked["stop"]) <= 4, "more the API does not take"


async def test_a_name_alone_makes_no_fim_model() -> None:
    with running_server(models=[{"id": "qwen-coder"}]) as server:
        assert "messages" in await ask(server)


async def test_code_with_a_fim_token_in_it_is_asked_for_by_chat() -> None:
    held = InfillRequest(f"token = '{QWEN.middle}'\nx = ", "\n", "python")
    models = [{"id": "qwen-coder"}]
    with running_server(fim=QWEN.all_tokens, models=models) as server:
        assert "messages" in await ask(server, held)
    with (
        running_server(fim=QWEN.all_tokens, models=models, has_chat=False) as server,
        pytest.raises(RequestInvalid, match="special token of 'qwen-coder'"),
    ):
        await ask(server, held)


@pytest.mark.parametrize("how", [{"fills_gaps": False}, {"drops_suffix": True}])
async def test_a_server_that_takes_a_suffix_and_does_not_fill_gaps(how: dict[str, bool]) -> None:
    """Put behind the prefix it is told by the answer, dropped by the prompt's length."""
    with running_server(takes_suffix=True, **how) as server:
        assert "messages" in await ask(server)


async def test_a_begun_message_that_is_repeated_is_no_answer() -> None:
    with running_server(
        pieces=["a + b\n"], continues=True, streams=False, repeats_begun=True
    ) as server:
        async with OpenAiClient(await probe(server.address)) as client:
            assert (await client.infill(GAP)).text == "a + b"


@pytest.mark.parametrize("mode", ["line", "block"])
async def test_a_server_that_does_not_stream(mode: Mode) -> None:
    with running_server(pieces=["a ", "+ b\n"], streams=False) as server:
        probed = await probe(server.address)
        assert not probed.capabilities.streams
        async with OpenAiClient(probed) as client:
            result = await client.infill(InfillRequest("x = ", "\n", mode=mode))
        assert result.text == "a + b"
        assert server.asked["stream"] is False


async def test_a_rewrite_follows_the_instruction_and_shows_all_of_it() -> None:
    request = InfillRequest(
        "a = 1\n",
        "c = 3\n",
        "python",
        mode="rewrite",
        selection="b = 2\n",
        instruction="use hex",
    )
    for continues in (False, True):
        opening = [] if continues else ["```python\n"]
        with running_server(pieces=[*opening, "b = 0x2\n", "```"], continues=continues) as server:
            async with OpenAiClient(await probe(server.address)) as client:
                assert (await client.infill(request)).text == "b = 0x2\n"
            words = server.asked["messages"][0]["content"]
            assert "use hex" in words and "b = 2\n" in words


@pytest.mark.parametrize(
    ("mode", "seed", "temperature", "sent"),
    [
        ("line", 0, None, 0),
        ("line", 7, None, 0),
        ("rewrite", 0, None, 0),
        ("rewrite", 7, None, None),
        ("rewrite", 7, 0.5, 0.5),
    ],
)
async def test_another_try_at_a_rewrite_is_drawn_by_chance(
    mode: Mode, seed: int, temperature: float | None, sent: float | None
) -> None:
    selection = "y" if mode == "rewrite" else ""
    request = InfillRequest(
        "x = ", "\n", mode=mode, selection=selection, seed=seed, temperature=temperature
    )
    with running_server() as server:
        asked = await ask(server, request)
    assert (asked.get("temperature"), asked["seed"]) == (sent, seed)


@pytest.mark.parametrize(
    "kind",
    [
        {"continues": True},
        {"takes_suffix": True, "has_chat": False},
        {"fim": QWEN.all_tokens, "models": [{"id": "qwen-coder"}]},
    ],
)
async def test_one_that_refuses_to_be_told_how_to_draw(kind: dict[str, Any]) -> None:
    with running_server(pieces=["a + b\n"], takes_sampling=False, **kind) as server:
        asked = await ask(server, InfillRequest("x = ", "\n", seed=7, temperature=0.5))
    assert "temperature" not in asked and "seed" not in asked
    assert ("messages" in asked) == ("continues" in kind), "the best way that it knows"


async def test_snippets_and_far_text_are_left_out_where_the_context_is_small() -> None:
    far = InfillRequest(
        "# far above\n" + "x = 1\n" * 5000,
        "y = 2\n" * 5000 + "# far below\n",
        snippets=(Snippet("b.py", "def near(): ..."), Snippet("c.py", "z = 3\n" * 5000)),
    )
    with running_server(models=[{"id": "tiny", "max_model_len": 2048}]) as server:
        words = (await ask(server, far))["messages"][0]["content"]
        assert len(words) < 2048 * 2.5
        assert "near" in words and "z = 3" not in words and "# far" not in words


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"max_model_len": 9000}, 9000),
        ({"meta": {"n_ctx": 4096, "n_vocab": 7}}, 4096),
        ({"meta": None}, None),
        ({}, None),
    ],
)
async def test_the_context_is_as_long_as_the_server_says(
    told: dict[str, Any], expected: int | None
) -> None:
    with running_server(models=[{"id": "tiny", **told}]) as server:
        assert (await probe(server.address)).capabilities.context_tokens == expected


async def test_the_only_model_needs_no_name() -> None:
    models = [{"id": "one"}, {"id": "two"}]
    with running_server(models=models) as server:
        assert (await probe(server.address, "two")).capabilities.model == "two"
        with pytest.raises(ConfigError, match=r"has 2 models; name one .* 'one', 'two'"):
            await probe(server.address)
        with pytest.raises(ConfigError, match=r"has no model 'three'; .*: 'one', 'two'"):
            await probe(server.address, "three")
    with running_server(models=[{"id": "code:latest"}]) as server:
        assert (await probe(server.address, "code")).capabilities.model == "code:latest"
    with (
        running_server(models=[]) as server,
        pytest.raises(ConfigError, match=r"has no model. Load one"),
    ):
        await probe(server.address)


async def test_a_model_that_can_do_neither() -> None:
    with (
        running_server(has_chat=False) as server,
        pytest.raises(ConfigError, match=r"'tiny' at .* neither chats nor fills gaps"),
    ):
        await probe(server.address)


async def test_what_is_told_of_it() -> None:
    with running_server(continues=True, models=[{"id": "tiny", "max_model_len": 9000}]) as server:
        async with OpenAiClient(await probe(server.address)) as client:
            details = await client.details()
            health = await client.health()
    assert details == {
        "model": "tiny",
        "prompt": "ChatPrompt",
        "way": "chat, which goes on with the line",
        "streams": True,
        "context_tokens": 9000,
        "settles": "no: text is only ever appended",
        "notice": "",
    }
    assert (health.status, health.model) == ("ready", "tiny")


async def test_nobody_there() -> None:
    with running_server() as server:
        address = server.address
    with pytest.raises(EngineUnavailable, match="No engine answers at"):
        await probe(address)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host:1", "http://host:1/v1"),
        ("http://host:1/", "http://host:1/v1"),
        ("https://host/v1", "https://host/v1"),
        ("https://host/api/v1", "https://host/api/v1"),
    ],
)
def test_where_the_api_begins(url: str, expected: str) -> None:
    assert api_url(url) == expected
