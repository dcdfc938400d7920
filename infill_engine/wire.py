"""The engine's wire format, version 1: JSON text to and from the dataclasses of `api`.

Used by both ends, the engine's server and its clients. Strict on the way in: an unknown key, a
missing key or a value of another JSON type is refused with the field's name. Knows nothing of
HTTP, sockets or torch; imports only `api` and cattrs.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from cattrs import Converter, transform_error
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError

from infill_engine import api
from infill_engine.api import InfillError, InfillRequest, InfillResult, InfillUpdate, RequestInvalid

API_VERSION = 1
"""Changes when an older client could no longer talk to a newer engine."""

HealthStatus = Literal["loading", "ready", "failed"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """What `GET /v1/health` answers.

    Attributes:
        status: "loading" until the model can fill gaps, then "ready", or "failed" for good.
        why: one sentence saying why loading failed; empty otherwise.
        code: code of the error behind `why` (see `error_from_wire`); empty otherwise.
        version: version of the infill-ls the engine belongs to.
        model: model name or folder the engine was asked for.
        stage: what loading is busy with, in words.
        fraction: share of the loading done, 0 to 1.
        num_queued: requests waiting.
        num_running: requests being worked on.
        idle_s: seconds since the last request ended.
        details: the engine's description of itself (device, dtype, number of parameters, ...).
    """

    status: HealthStatus
    why: str
    code: str
    version: str
    model: str
    stage: str
    fraction: float
    num_queued: int
    num_running: int
    idle_s: float
    details: dict[str, Any] = field(default_factory=dict)


def request_to_json(request: InfillRequest) -> bytes:
    """Serialize a request as UTF-8 JSON.

    Raises:
        RequestInvalid: a text holds a lone surrogate, which no UTF-8 file can hold.
    """
    try:
        return _dump(request, ascii_only=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise RequestInvalid(
            f"The request's text holds a lone surrogate (U+{ord(error.object[error.start]):04X}); "
            "only valid Unicode can be sent."
        ) from None


def request_from_json(body: bytes) -> InfillRequest:
    """Parse a request.

    Raises:
        RequestInvalid: not JSON, or a field is missing, unknown, of another type or out of range.
        RequestTooLarge: a text is longer than the engine accepts.
    """
    return _parse(body, InfillRequest, "The request body")


def update_to_json(update: InfillUpdate) -> str:
    """Serialize the state after a denoising step."""
    return _dump(update)


def update_from_json(text: str | bytes) -> InfillUpdate:
    """Parse the data of a `step` event; raises RequestInvalid when it is none."""
    return _parse(text, InfillUpdate, "A step event")


def result_to_json(result: InfillResult) -> str:
    """Serialize the final result."""
    return _dump(result)


def result_from_json(text: str | bytes) -> InfillResult:
    """Parse the data of a `done` event; raises RequestInvalid when it is none."""
    return _parse(text, InfillResult, "A done event")


def health_to_json(health: EngineHealth) -> str:
    """Serialize the engine's health."""
    return _dump(health)


def health_from_json(text: str | bytes) -> EngineHealth:
    """Parse a health answer; raises RequestInvalid when it is none."""
    return _parse(text, EngineHealth, "The health answer")


def error_to_json(error: InfillError) -> str:
    """Serialize an error as its code and its message, nothing else of it."""
    return json.dumps({"code": error.code, "message": str(error)})


def error_from_json(text: str | bytes) -> InfillError:
    """Build the error of the same class again; an unknown code or text gives an InfillError."""
    try:
        data = json.loads(text)
        code, message = str(data["code"]), str(data["message"])
    except (ValueError, KeyError, TypeError):
        return InfillError("The engine answered with an error that cannot be read.")
    return error_from_code(code, message)


def error_from_code(code: str, message: str) -> InfillError:
    """Return an error of the class that carries `code`."""
    return _ERROR_CLASSES.get(code, InfillError)(message)


_ERROR_CLASSES: dict[str, type[InfillError]] = {
    error_class.code: error_class
    for error_class in vars(api).values()
    if isinstance(error_class, type) and issubclass(error_class, InfillError)
}


def _dump(data: object, ascii_only: bool = True) -> str:
    # Events stay ASCII: some readers of event streams also end a line at U+0085 or U+2028.
    # Requests do not: half the size for non-Latin text, and encoding finds lone surrogates.
    return json.dumps(_CONVERTER.unstructure(data), ensure_ascii=ascii_only, separators=(",", ":"))


def _parse(text: str | bytes, cls: type[T], what: str) -> T:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise RequestInvalid(f"{what} is not JSON in UTF-8.") from None
    if not isinstance(data, dict):
        raise RequestInvalid(f"{what} is a JSON {_json_type(data)}; it must be an object.")
    try:
        return _CONVERTER.structure(data, cls)
    except ClassValidationError as error:
        infill_error = _first_infill_error(error)
        if infill_error is not None:
            raise infill_error from None
        raise RequestInvalid("; ".join(_problems(error)) + ".") from None
    except RecursionError:
        raise RequestInvalid(f"{what} is nested too deep.") from None


class _WrongTypeError(Exception):
    """A JSON value of another type than the field's."""


def _problems(error: ClassValidationError) -> list[str]:
    # "unknown field: x @ $" → "unknown field: x"; "is a string; ... @ $.seed" → "seed is a ..."
    sentences: list[str] = []
    for line in transform_error(error, format_exception=_format_problem):
        text, _, path = line.rpartition(" @ $")
        name = path.lstrip(".")
        sentences.append(f"{name} {text}" if name else text)
    return sentences


def _format_problem(error: BaseException, cls: type | None) -> str:
    if isinstance(error, KeyError):
        return "is missing, and it has no default"
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown field: {', '.join(sorted(error.extra_fields))}"
    if isinstance(error, _WrongTypeError):
        return str(error)
    if cls is api.Snippet:
        return "must be an object with path and text"
    if cls == tuple[api.Snippet, ...]:
        return "must be a list of objects with path and text"
    return "has a value that is not allowed"


def _first_infill_error(error: BaseException) -> InfillError | None:
    if isinstance(error, InfillError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_first_infill_error, error.exceptions)), None)
    return None


def _json_type(value: object) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "list"}
    return names.get(type(value), "null" if value is None else "object")


def _strict_str(value: object, _cls: object) -> str:
    if not isinstance(value, str):
        raise _WrongTypeError(f"is a JSON {_json_type(value)}; it must be a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _WrongTypeError(
            f"holds a lone surrogate at character {error.start}; it must be valid Unicode"
        ) from None
    return value


def _strict_int(value: object, _cls: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _WrongTypeError(f"is {value!r:.40}; it must be a whole number")
    return value


def _strict_float(value: object, _cls: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongTypeError(f"is {value!r:.40}; it must be a number")
    return float(value)


def _strict_object(value: object, _cls: object) -> Any:
    if not isinstance(value, dict):
        raise _WrongTypeError(f"is a JSON {_json_type(value)}; it must be an object")
    return value


def _literal(value: object, cls: Any) -> object:
    if value not in cls.__args__:
        allowed = ", ".join(map(str, cls.__args__))
        raise _WrongTypeError(f"is {value!r:.40}; allowed are {allowed}")
    return value


def _make_converter() -> Converter:
    # cattrs would turn "5" into 5 and 5 into "5"; a wire format must not guess.
    converter = Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _strict_str)
    converter.register_structure_hook(int, _strict_int)
    converter.register_structure_hook(float, _strict_float)
    for literal in (api.Mode, api.FinishReason, HealthStatus):
        converter.register_structure_hook_func(lambda cls, own=literal: cls == own, _literal)
    converter.register_structure_hook_func(lambda cls: cls == dict[str, Any], _strict_object)
    return converter


_CONVERTER = _make_converter()
