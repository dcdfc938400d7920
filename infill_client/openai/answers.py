"""What a server's JSON says: the models it has, a piece of an answer, an error in the midst of one.

Takes of it what is needed and leaves the rest, which each server adds to as it likes. Knows nothing
of HTTP.
"""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class NotOpenAiJsonError(Exception):
    """The text is no answer of this API."""


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


_Kind = TypeVar("_Kind", bound=_Lenient)


class _Meta(_Lenient):
    n_ctx: int | None = None


class Model(_Lenient):
    """A model of the server.

    Attributes:
        id: its name.
        max_model_len: tokens of its context, where the server says so as vLLM and SGLang do.
        meta: holds them where it says so as llama.cpp does.
    """

    id: str
    max_model_len: int | None = None
    meta: _Meta | None = None

    @property
    def context_tokens(self) -> int | None:
        """Tokens of its context, where the server says so."""
        return self.max_model_len or (self.meta.n_ctx if self.meta else None)


class ModelList(_Lenient):
    """What `GET /models` answers."""

    data: list[Model]


class _Message(_Lenient):
    content: str | None = None


class _Choice(_Lenient):
    delta: _Message | None = None
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None


class Usage(_Lenient):
    """Tokens of a request."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Answer(_Lenient):
    """A whole answer, or a piece of a streamed one.

    Attributes:
        choices: the first is the one that was asked for; a piece with the usage has none.
        usage: what it cost, where the server says so.
        error: what went wrong after the answer had begun.
    """

    choices: list[_Choice] | None = None
    usage: Usage | None = None
    error: Any = None

    @property
    def text(self) -> str:
        """What the model wrote."""
        if not self.choices:
            return ""
        choice = self.choices[0]
        message = choice.delta or choice.message
        return choice.text or (message.content if message else None) or ""

    @property
    def finish_reason(self) -> str | None:
        """Why the model ended; None while it has not."""
        return self.choices[0].finish_reason if self.choices else None


def read_models(body: bytes) -> ModelList:
    """Read the list of models.

    Raises:
        NotOpenAiJsonError: it is none.
    """
    return _read(ModelList, body)


def read_answer(body: str | bytes) -> Answer:
    """Read an answer or a piece of one.

    Raises:
        NotOpenAiJsonError: it is neither.
    """
    answer = _read(Answer, body)
    if not answer.model_fields_set:
        raise NotOpenAiJsonError
    return answer


def _read(kind: type[_Kind], body: str | bytes) -> _Kind:
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        raise NotOpenAiJsonError from None  # its words would repeat the answer
