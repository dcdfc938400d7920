"""Finds out what a server can do, with a handful of requests for a token or four.

Counting the prompt's tokens tells what a server did with a conversation; what is written into a gap
that has one answer, whether it fills gaps. Knows nothing of the gaps that are filled later.
"""

from dataclasses import dataclass
from typing import Any

from infill_client.address import EngineAddress
from infill_client.openai.answers import Answer
from infill_client.openai.calls import CHAT_PATH, COMPLETIONS_PATH, ApiCalls, choose_model
from infill_client.openai.errors import NotOpenAi, shown
from infill_client.openai.fim import FimTokens, families_of
from infill_engine.api import ConfigError, InfillError, RequestInvalid, RequestTooLarge

CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}
"""How vLLM and SGLang are asked to go on with the model's own message. llama.cpp and Ollama do
without being asked."""
_QUESTION = {"role": "user", "content": "Which number comes after 0?"}
_BEGUN_ANSWER = {"role": "assistant", "content": "1"}
_TOKENS_BEGUN = 1
"""Of the begun answer, to most tokenizers. One that is closed takes one more at least."""
_GAP = ('names = ["one", "two", "three", "', '", "five", "six", "seven"]\n')
_GAP_MIDDLE = "four"
"""What every model that was trained to fill gaps writes there. Counting is not enough here: some
servers put the suffix behind the prefix for a model that knows no gaps."""
_GAP_TOKENS = 4
_REPEATS = 8


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server can do.

    Attributes:
        model: its name there.
        has_chat: it holds conversations.
        continues: it goes on with a message of the model's own.
        streams: it sends an answer while it is being written.
        takes_suffix: a completion is given the text after the gap as `suffix`.
        fim: or with these tokens in the prompt.
        context_tokens: tokens of the model's context; None where the server does not say.
    """

    model: str
    has_chat: bool
    continues: bool
    streams: bool
    takes_suffix: bool = False
    fim: FimTokens | None = None
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ProbedServer:
    """A server and what it can do."""

    address: EngineAddress
    capabilities: Capabilities

    @property
    def url(self) -> str:
        """Where it is."""
        return self.address.url

    def describe(self) -> dict[str, Any]:
        """Return what the server can do, in words for a user, by name."""
        can = self.capabilities
        way = "chat"
        if can.takes_suffix:
            way = "completions with a suffix"
        elif can.fim:
            way = f"completions with the FIM tokens of {can.fim.family}"
        elif can.continues:
            way = "chat, which goes on with the line"
        return {
            "model": can.model,
            # Whether a rewrite's instruction is followed: what our own engine says of its prompts.
            "prompt": "ChatPrompt" if can.has_chat else "FimPrompt",
            "way": way,
            "streams": can.streams,
            "context_tokens": can.context_tokens or "unknown",
            "settles": "no: text is only ever appended",
        }


async def probe(address: EngineAddress, wanted_model: str = "") -> ProbedServer:
    """Ask a server what it can do.

    Args:
        address: where it is.
        wanted_model: the model's name there; "" takes the only one.

    Raises:
        ConfigError: the token, the model or the certificate is not the right one.
        EngineUnavailable: it does not answer, or is another kind of server.
        EngineBusy: it has no time now.
    """
    calls = ApiCalls(address, wanted_model)
    try:
        models = await calls.models()
        calls.model = choose_model(address, models, wanted_model)
        chat_tokens = await _tokens(calls, CHAT_PATH, messages=[_QUESTION])
        has_chat = chat_tokens is not None
        takes_suffix = await _takes_suffix(calls)
        fim = None if takes_suffix else await _fim_tokens(calls)
        if not (has_chat or takes_suffix or fim):
            raise ConfigError(
                f"The model {shown(calls.model)} at {address.url} neither chats nor fills gaps (no "
                "chat template, no FIM tokens). Name another in engine.model."
            )
        lengths = [model.max_model_len for model in models.data if model.id == calls.model]
        capabilities = Capabilities(
            model=calls.model,
            has_chat=has_chat,
            continues=bool(chat_tokens) and await _continues(calls, chat_tokens or 0),
            streams=await _streams(calls, has_chat),
            takes_suffix=takes_suffix,
            fim=fim,
            context_tokens=lengths[0] if lengths else None,
        )
    finally:
        await calls.aclose()
    return ProbedServer(address, capabilities)


async def _continues(calls: ApiCalls, num_tokens: int) -> bool:
    """Whether a begun answer is gone on with, told by what closing it would add to the prompt.

    Args:
        calls: to the server.
        num_tokens: of the prompt without the begun answer.
    """
    begun = [_QUESTION, _BEGUN_ANSWER]
    going_on = await _tokens(calls, CHAT_PATH, messages=begun, **CONTINUE)
    if not going_on:
        return False
    closed = await _tokens(
        calls, CHAT_PATH, messages=begun, add_generation_prompt=CONTINUE["add_generation_prompt"]
    )
    if closed is not None and going_on < closed:
        return True
    # Nothing was asked for and nothing was closed: a server that always goes on.
    return going_on - num_tokens == _TOKENS_BEGUN


async def _takes_suffix(calls: ApiCalls) -> bool:
    prefix, suffix = _GAP
    return await _fills(calls, {"prompt": prefix, "suffix": suffix})


async def _fim_tokens(calls: ApiCalls) -> FimTokens | None:
    """Return the first family whose tokens are tokens: each text of them counts as one."""
    for family in families_of(calls.model):
        prompt = "".join(family.all_tokens) * _REPEATS
        num_tokens = await _tokens(calls, COMPLETIONS_PATH, prompt=prompt)
        are_tokens = num_tokens is not None and 0 < num_tokens <= 3 * _REPEATS + 2
        if are_tokens and await _fills(calls, {"prompt": family.join(*_GAP)}):
            return family
    return None


async def _fills(calls: ApiCalls, asked: dict[str, Any]) -> bool:
    answer = await _ask(calls, COMPLETIONS_PATH, _GAP_TOKENS, asked)
    return answer is not None and answer.text.strip().startswith(_GAP_MIDDLE)


async def _streams(calls: ApiCalls, has_chat: bool) -> bool:
    one_token = {"max_tokens": 1, "temperature": 0}
    if has_chat:
        return await calls.streams(CHAT_PATH, {**one_token, "messages": [_QUESTION]})
    return await calls.streams(COMPLETIONS_PATH, {**one_token, "prompt": _GAP[0]})


async def _tokens(calls: ApiCalls, path: str, **asked: Any) -> int | None:
    """Return how many tokens a prompt had, 0 when the server does not say; None: refused."""
    answer = await _ask(calls, path, 1, asked)
    if answer is None:
        return None
    return answer.usage.prompt_tokens if answer.usage else 0


async def _ask(calls: ApiCalls, path: str, max_tokens: int, asked: dict[str, Any]) -> Answer | None:
    """Return the answer; None where the server does not take such a request."""
    try:
        return await calls.ask(path, {**asked, "max_tokens": max_tokens, "temperature": 0})
    except (NotOpenAi, RequestInvalid, RequestTooLarge):
        return None
    except InfillError as error:
        if type(error) is InfillError:  # a server that fails on what it does not know
            return None
        raise
