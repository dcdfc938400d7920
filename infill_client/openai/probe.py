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
_SUFFIX_TOKENS = 5
"""That the gap's suffix has at least. The answer is not enough either: llama.cpp's server takes a
suffix and drops it, and who can count goes on with "four"."""
_REPEATS = 8
_GREEDY: dict[str, Any] = {"temperature": 0, "seed": 0}


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
        takes_sampling: it may be told how to draw (temperature, seed). vLLM refuses both for models
            that denoise, and some hosted models do.
    """

    model: str
    has_chat: bool
    continues: bool
    streams: bool
    takes_suffix: bool = False
    fim: FimTokens | None = None
    context_tokens: int | None = None
    takes_sampling: bool = True


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
        lengths = [model.context_tokens for model in models.data if model.id == calls.model]
        return ProbedServer(address, await _Asking(calls).find_out(lengths[0] if lengths else None))
    finally:
        await calls.aclose()


class _Asking:
    """The requests to one server and model."""

    def __init__(self, calls: ApiCalls) -> None:
        self._calls = calls
        self._sampling = _GREEDY

    async def find_out(self, context_tokens: int | None) -> Capabilities:
        chat_tokens = await self._chat_tokens_and_sampling()
        has_chat = chat_tokens is not None
        takes_suffix = await self._takes_suffix()
        fim = None if takes_suffix else await self._fim_tokens()
        if not (has_chat or takes_suffix or fim):
            raise ConfigError(
                f"The model {shown(self._calls.model)} at {self._calls.address.url} neither chats "
                "nor fills gaps (no chat template, no FIM tokens). Name another in engine.model."
            )
        return Capabilities(
            model=self._calls.model,
            has_chat=has_chat,
            continues=bool(chat_tokens) and await self._continues(chat_tokens or 0),
            streams=await self._streams(has_chat),
            takes_suffix=takes_suffix,
            fim=fim,
            context_tokens=context_tokens,
            takes_sampling=bool(self._sampling),
        )

    async def _chat_tokens_and_sampling(self) -> int | None:
        """Return the tokens of a conversation, None where there is no chat.

        From here on nothing is said of sampling where a request is taken only without.
        """
        chat: dict[str, Any] = {"messages": [_QUESTION]}
        plain: dict[str, Any] = {"prompt": _GAP[0]}
        for path, asked in ((CHAT_PATH, chat), (COMPLETIONS_PATH, plain)):
            for sampling in (_GREEDY, {}):
                self._sampling = sampling
                num_tokens = await self._tokens(path, **asked)
                if num_tokens is not None:
                    return num_tokens if path == CHAT_PATH else None
        self._sampling = _GREEDY
        return None

    async def _continues(self, num_tokens: int) -> bool:
        """Whether a begun answer is gone on with, told by what closing it would add to the prompt.

        Args:
            num_tokens: of the prompt without the begun answer.
        """
        begun = [_QUESTION, _BEGUN_ANSWER]
        going_on = await self._tokens(CHAT_PATH, messages=begun, **CONTINUE)
        if not going_on:
            return False
        adds_turn = CONTINUE["add_generation_prompt"]
        closed = await self._tokens(CHAT_PATH, messages=begun, add_generation_prompt=adds_turn)
        if closed is not None and going_on < closed:
            return True
        # Nothing was asked for and nothing was closed: a server that always goes on.
        return going_on - num_tokens == _TOKENS_BEGUN

    async def _takes_suffix(self) -> bool:
        prefix, suffix = _GAP
        answer = await self._ask(
            COMPLETIONS_PATH, _GAP_TOKENS, {"prompt": prefix, "suffix": suffix}
        )
        if answer is None or answer.usage is None or not _fills_gap(answer):
            return False
        prefix_tokens = await self._tokens(COMPLETIONS_PATH, prompt=prefix) or 0
        return prefix_tokens > 0 and (answer.usage.prompt_tokens >= prefix_tokens + _SUFFIX_TOKENS)

    async def _fim_tokens(self) -> FimTokens | None:
        """Return the first family whose tokens are tokens: each text of them counts as one."""
        for family in families_of(self._calls.model):
            prompt = "".join(family.all_tokens) * _REPEATS
            num_tokens = await self._tokens(COMPLETIONS_PATH, prompt=prompt)
            are_tokens = num_tokens is not None and 0 < num_tokens <= 3 * _REPEATS + 2
            if are_tokens and _fills_gap(
                await self._ask(COMPLETIONS_PATH, _GAP_TOKENS, {"prompt": family.join(*_GAP)})
            ):
                return family
        return None

    async def _streams(self, has_chat: bool) -> bool:
        one_token = {"max_tokens": 1, **self._sampling}
        if has_chat:
            return await self._calls.streams(CHAT_PATH, {**one_token, "messages": [_QUESTION]})
        return await self._calls.streams(COMPLETIONS_PATH, {**one_token, "prompt": _GAP[0]})

    async def _tokens(self, path: str, **asked: Any) -> int | None:
        """Return how many tokens a prompt had, 0 when the server does not say; None: refused."""
        answer = await self._ask(path, 1, asked)
        if answer is None:
            return None
        return answer.usage.prompt_tokens if answer.usage else 0

    async def _ask(self, path: str, max_tokens: int, asked: dict[str, Any]) -> Answer | None:
        """Return the answer; None where the server does not take such a request."""
        try:
            return await self._calls.ask(
                path, {**asked, "max_tokens": max_tokens, **self._sampling}
            )
        except (NotOpenAi, RequestInvalid, RequestTooLarge):
            return None
        except InfillError as error:
            if type(error) is InfillError:  # a server that fails on what it does not know
                return None
            raise


def _fills_gap(answer: Answer | None) -> bool:
    return answer is not None and answer.text.strip().startswith(_GAP_MIDDLE)
