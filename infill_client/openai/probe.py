"""Finds out what a server can do, with a handful of requests for one token each.

Counting the prompt's tokens tells what a server did with a prompt, which its answer to one token
does not. Knows nothing of the gaps that are filled later.
"""

from dataclasses import dataclass
from typing import Any

from infill_client.address import EngineAddress
from infill_client.openai.calls import CHAT_PATH, COMPLETIONS_PATH, ApiCalls, choose_model
from infill_client.openai.errors import NotOpenAi, shown
from infill_client.openai.fim import FimTokens, families_of
from infill_engine.api import ConfigError, InfillError, RequestInvalid, RequestTooLarge

CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}
"""How vLLM and SGLang are asked to go on with the model's own message. llama.cpp and Ollama do
without being asked."""
_QUESTION = {"role": "user", "content": "Which number comes after 0?"}
_BEGUN_ANSWER = {"role": "assistant", "content": "1"}
_MOST_TOKENS_BEGUN = 2
"""Tokens of the begun answer. One that is closed and followed by another takes four and more."""
_FIM_PREFIX = "def add(left, right):\n    return "
_FIM_SUFFIX = "\n\n\nprint(add(1, 2))\nprint(add(3, 4))\n"
_LEAST_SUFFIX_TOKENS = 8
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
    begun = await _tokens(calls, CHAT_PATH, messages=[_QUESTION, _BEGUN_ANSWER], **CONTINUE)
    return begun is not None and 1 <= begun - num_tokens <= _MOST_TOKENS_BEGUN


async def _takes_suffix(calls: ApiCalls) -> bool:
    alone = await _tokens(calls, COMPLETIONS_PATH, prompt=_FIM_PREFIX)
    if not alone:
        return False
    both = await _tokens(calls, COMPLETIONS_PATH, prompt=_FIM_PREFIX, suffix=_FIM_SUFFIX)
    return both is not None and both - alone >= _LEAST_SUFFIX_TOKENS


async def _fim_tokens(calls: ApiCalls) -> FimTokens | None:
    """Return the first family whose tokens are tokens: each text of them counts as one."""
    for family in families_of(calls.model):
        prompt = "".join(family.all_tokens) * _REPEATS
        num_tokens = await _tokens(calls, COMPLETIONS_PATH, prompt=prompt)
        if num_tokens is not None and 0 < num_tokens <= 3 * _REPEATS + 2:
            return family
    return None


async def _streams(calls: ApiCalls, has_chat: bool) -> bool:
    one_token = {"max_tokens": 1, "temperature": 0}
    if has_chat:
        return await calls.streams(CHAT_PATH, {**one_token, "messages": [_QUESTION]})
    return await calls.streams(COMPLETIONS_PATH, {**one_token, "prompt": _FIM_PREFIX})


async def _tokens(calls: ApiCalls, path: str, **asked: Any) -> int | None:
    """Return how many tokens a prompt had, 0 when the server does not say; None: refused."""
    try:
        answer = await calls.ask(path, {**asked, "max_tokens": 1, "temperature": 0})
    except (NotOpenAi, RequestInvalid, RequestTooLarge):
        return None
    except InfillError as error:
        if type(error) is InfillError:  # a server that fails on what it does not know
            return None
        raise
    return answer.usage.prompt_tokens if answer.usage else 0
