"""The real language server over stdio with a real server of OpenAI's API.

That is llama-cpp-python's, started here with SmolLM2-135M-Instruct, or the running one that
`INFILL_TEST_OPENAI_URL` names. Small models are not right, so what is asserted is what must hold
for any.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise

import pytest

from infill_client.openai.client import OpenAiClient
from infill_client.openai.probe import probe
from infill_engine.api import ConfigError, InfillRequest, InfillResult

from ..installed import installed_or_skip
from ..lsp_server.editor import PLAIN, running_editor
from .running_server import RunningServer, named_server
from .server_process import running_llama_cpp_server

pytestmark = pytest.mark.e2e

GAPS = (
    "def is_even(number):\n    return number % 2 ==\n",
    "def add(left, right):\n    return left +\n",
    "def is_odd(number):\n    return number % 2 !=\n",
    "def greet(name):\n    print('Hello', name)\n\n\ndef main():\n    greet(\n",
)
"""Each has its gap at the end of its last line."""
PATIENT = {**PLAIN, "deadlineMs": 40_000, "mode": "line", "lineMaxTokens": 24}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    if named := named_server():
        yield named
        return
    log = tmp_path_factory.mktemp("llama") / "server.log"
    with ExitStack() as stack:
        yield installed_or_skip(lambda: stack.enter_context(running_llama_cpp_server(log)))


async def test_what_it_can_do_is_found_out(server: RunningServer) -> None:
    can = (await probe(server.address, server.model)).capabilities
    assert can.streams
    if server.can is not None:
        assert can == server.can
    if server.address.token:
        with pytest.raises(ConfigError, match="did not accept the token"):
            await probe(server.with_wrong_token, server.model)


async def test_an_answer_streams_and_only_grows(server: RunningServer) -> None:
    request = InfillRequest(GAPS[0][:-1], "\n", "python", "a.py", mode="block", max_new_tokens=48)
    async with OpenAiClient(await probe(server.address, server.model)) as client:
        *updates, result = [event async for event in client.stream(request)]
    assert isinstance(result, InfillResult)
    assert len(updates) > 1
    settled = [event.text[: event.settled_chars] for event in updates]  # type: ignore[union-attr]
    assert all(later.startswith(first) for first, later in pairwise(settled))
    assert result.text.startswith(settled[-1])
    assert "```" not in result.text


@pytest.mark.parametrize(
    "line", ["x = 1\n", "31415926535897932384626433", "# \u6f22\u5b57\u306e\u8aac\u660e\n"]
)
async def test_a_prompt_longer_than_its_context_is_cut(server: RunningServer, line: str) -> None:
    """Digits and Chinese take up to two tokens for each character."""
    request = InfillRequest(line * 4000, "y = 2\n" * 4000, "python", max_new_tokens=4)
    async with OpenAiClient(await probe(server.address, server.model)) as client:
        assert await client.infill(request)


async def test_ghost_text_over_stdio(server: RunningServer) -> None:
    engine = server.settings(tokenEnv="TEST_TOKEN")
    env = {"TEST_TOKEN": server.address.token}
    async with running_editor({"engine": engine, **PATIENT}, env=env) as editor:
        await editor.wait_for_status("ready")
        offered: list[str] = []
        for number, text in enumerate(GAPS):
            uri = f"file:///project/{number}.py"
            editor.open(text, uri)
            line, character = text.count("\n") - 1, len(text.split("\n")[-2])
            offered += await editor.texts(line, character, uri) or []
        assert offered, "of four gaps at least one is filled"
        for text in offered:
            assert text.strip() and "\n" not in text and "`" not in text
        # A request that is of no use any more does not keep the next from its turn.
        asked = editor.ask(line, character, uri)
        editor.cancel(asked)
        editor.open(GAPS[0], "file:///project/last.py")
        await editor.texts(1, len(GAPS[0].split("\n")[1]), "file:///project/last.py")
        assert editor.statuses[-1]["state"] == "ready"


async def test_the_wrong_token_is_told_in_the_status(server: RunningServer) -> None:
    if not server.address.token:
        pytest.skip("the named server wants no token")
    engine = server.settings(token=server.with_wrong_token.token)
    async with running_editor({"engine": engine, **PATIENT}) as editor:
        status = await editor.wait_for_status("unavailable")
        assert "did not accept the token (HTTP 401)" in status["message"]
