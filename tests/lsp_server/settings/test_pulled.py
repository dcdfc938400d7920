"""`workspace/configuration`: asked once, kept until something changes, not waited for."""

import asyncio
from typing import Any

import pytest

from lsp_server.settings.pulled import MAX_SCOPES, PulledSettings, Scope

SHORT_S = 0.01


class Client:
    """Answers what `given` says for a scope; an asyncio.Event in `holds` keeps it waiting."""

    def __init__(self) -> None:
        self.given: dict[Scope, Any] = {None: {"seed": 1}}
        self.asked: list[Scope] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.reported: list[str] = []
        self.pulled = PulledSettings(self.ask, self.reported.extend, SHORT_S)

    async def ask(self, scope: Scope) -> object:
        self.asked.append(scope)
        given = self.given.get(scope)
        await self.may_answer.wait()
        if isinstance(given, Exception):
            raise given
        return given


@pytest.fixture
async def client() -> Client:
    return Client()


async def test_asked_once_until_something_changes(client: Client) -> None:
    assert client.pulled.values(None) == {}
    for _ in range(3):
        await client.pulled.refresh(None)
        assert client.pulled.values(None) == {"seed": 1}
    assert client.asked == [None]
    client.given[None] = {"seed": 2}
    client.pulled.ask_again()
    assert client.pulled.values(None) == {"seed": 1}, "until there is a new answer"
    await client.pulled.refresh(None)
    assert client.pulled.values(None) == {"seed": 2}


async def test_an_answer_is_whole(client: Client) -> None:
    await client.pulled.refresh(None)
    client.given[None] = {"mode": "line"}
    client.pulled.ask_again()
    await client.pulled.refresh(None)
    assert client.pulled.values(None) == {"mode": "line"}


async def test_a_document_has_its_own(client: Client) -> None:
    client.given["a"] = {"seed": 5}
    client.given["b"] = {}
    for scope in (None, "a", "b"):
        await client.pulled.refresh(scope)
    assert client.pulled.values("a") == {"seed": 5}
    assert client.pulled.values("b") == {}
    assert client.pulled.values("not asked for") == {"seed": 1}


async def test_those_who_ask_together_share_one_question(client: Client) -> None:
    await asyncio.gather(*(client.pulled.refresh(None) for _ in range(5)))
    assert client.asked == [None]


async def test_one_who_is_cancelled_does_not_end_the_question_of_others(client: Client) -> None:
    client.pulled = PulledSettings(client.ask, client.reported.extend, 60.0)
    client.may_answer.clear()
    first, second = (asyncio.ensure_future(client.pulled.refresh(None)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    client.may_answer.set()
    await second
    assert client.pulled.values(None) == {"seed": 1}


async def test_a_client_that_never_answers_is_waited_for_once(client: Client) -> None:
    await client.pulled.refresh(None)
    client.pulled.ask_again()
    client.may_answer.clear()
    for scope in (None, None, "a", "b"):
        await client.pulled.refresh(scope)
    assert client.asked == [None, None]
    assert client.pulled.values(None) == client.pulled.values("a") == {"seed": 1}
    client.pulled.ask_again()
    await client.pulled.refresh("a")
    assert client.asked == [None, None, "a"], "it may have come to its senses"
    client.pulled.close()


async def test_an_answer_that_is_late_counts(client: Client) -> None:
    client.may_answer.clear()
    await client.pulled.refresh(None)
    assert client.pulled.values(None) == {}
    client.may_answer.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert client.pulled.values(None) == {"seed": 1}
    await client.pulled.refresh("a")
    assert client.asked == [None, "a"]


async def test_an_answer_from_before_a_change_does_not_count(client: Client) -> None:
    client.may_answer.clear()
    await client.pulled.refresh(None)
    client.given[None] = {"seed": 2}
    client.pulled.ask_again()
    newer = asyncio.ensure_future(client.pulled.refresh(None))
    await asyncio.sleep(0)
    client.may_answer.set()
    await newer
    for _ in range(5):
        await asyncio.sleep(0)
    assert client.asked == [None, None]
    assert client.pulled.values(None) == {"seed": 2}


async def test_a_client_that_refuses_keeps_what_it_gave(client: Client) -> None:
    await client.pulled.refresh(None)
    client.given[None] = RuntimeError("s3cret")
    client.pulled.ask_again()
    await client.pulled.refresh(None)
    await client.pulled.refresh(None)
    assert client.pulled.values(None) == {"seed": 1}
    assert client.asked == [None, None]
    assert client.reported == []


@pytest.mark.parametrize("given", [None, {}, []])
async def test_a_client_without_settings(client: Client, given: object) -> None:
    client.given[None] = given
    await client.pulled.refresh(None)
    assert client.pulled.values(None) == {}
    assert client.reported == []


async def test_what_is_wrong_everywhere_is_told_once(client: Client) -> None:
    client.given = {None: {"colour": 1}, "a": {"colour": 1}, "b": {"colour": 1, "seed": -1}}
    for scope in client.given:
        await client.pulled.refresh(scope)
    assert len(client.reported) == 2
    client.pulled.ask_again()
    await client.pulled.refresh(None)
    assert len(client.reported) == 3


async def test_a_document_that_was_closed_is_asked_for_again(client: Client) -> None:
    client.given["a"] = {"seed": 5}
    await client.pulled.refresh("a")
    client.pulled.forget("a")
    assert client.pulled.values("a") == {}
    await client.pulled.refresh("a")
    assert client.asked == ["a", "a"]


async def test_not_more_documents_are_kept_than_are_open_as_a_rule(client: Client) -> None:
    await client.pulled.refresh(None)
    uris = [f"uri{idx}" for idx in range(MAX_SCOPES + 1)]
    client.given |= {uri: {"seed": idx + 10} for idx, uri in enumerate(uris)}
    for uri in uris:
        await client.pulled.refresh(uri)
        client.pulled.values(uris[0])  # in use
    assert client.pulled.values(uris[0]) == {"seed": 10}
    assert client.pulled.values(uris[1]) == {"seed": 1}, "given up for a newer one"
    assert client.pulled.values(None) == {"seed": 1}
