"""The wire format: everything comes back, and nothing is guessed."""

import json

import pytest

from infill_engine.api import (
    EngineBusy,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    RequestInvalid,
    RequestTooLarge,
    Snippet,
)
from infill_engine.wire import (
    EngineHealth,
    error_from_json,
    error_to_json,
    health_from_json,
    health_to_json,
    request_from_json,
    request_to_json,
    result_from_json,
    result_to_json,
    update_from_json,
    update_to_json,
)


@pytest.mark.parametrize(
    "request_",
    [
        InfillRequest("", ""),
        InfillRequest("naïve 🎉\r\n\t\0\u2028", "\x85\\u00e9", path="a/ü.py"),
        InfillRequest("a", "b", snippets=(Snippet("x.py", "x = 1"), Snippet("", ""))),
        InfillRequest("a", "b", mode="rewrite", selection="s", instruction="i", deadline_ms=5),
    ],
)
def test_request_comes_back(request_: InfillRequest) -> None:
    assert request_from_json(request_to_json(request_)) == request_


def test_update_result_and_health_come_back() -> None:
    update = InfillUpdate(3, 1, "x\u2028y", 1, (0.5, 2.0), 7)
    result = InfillResult("x", "line_settled", 3, 1, 1, 2, 3, 0.5, {"total": 1.5})
    health = EngineHealth("failed", "w", "c", "1", "m", "s", 0.5, 1, 1, 2.0, {"device": "cpu"})
    assert update_from_json(update_to_json(update)) == update
    assert result_from_json(result_to_json(result)) == result
    assert health_from_json(health_to_json(health)) == health
    assert update_to_json(update).isascii()
    assert "\n" not in update_to_json(update)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prefix": 1}, "prefix is a JSON number; it must be a string"),
        ({"prefix": None}, "prefix is a JSON null; it must be a string"),
        ({"seed": "5"}, "seed is '5'; it must be a whole number"),
        ({"seed": True}, "seed is True; it must be a whole number"),
        ({"seed": 2**64}, "seed has too many digits; allowed is -9223372036854775808 to "),
        ({"deadline_ms": 1.5}, "deadline_ms is 1.5; it must be a whole number"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0; allowed is 1 to 1024."),
        ({"mode": "page"}, "mode is 'page'; allowed are line, block, rewrite."),
        ({"mode": []}, "mode is []; allowed are line, block, rewrite."),
        ({"a": 1, "b": 2}, "unknown field: a, b."),
        ({"snippets": 3}, "snippets must be a list of objects with path and text."),
        ({"snippets": [3]}, "snippets[0] must be an object with path and text."),
        ({"snippets": [{"path": ""}]}, "snippets[0].text is missing"),
        ({"prefix": "\ud800"}, "prefix holds a lone surrogate at character 0"),
        ({"selection": "x"}, "selection and instruction belong to mode 'rewrite'"),
    ],
)
def test_wrong_field_is_named(fields: dict[str, object], message: str) -> None:
    body = json.dumps({"prefix": "", "suffix": "", **fields}).encode()
    with pytest.raises(RequestInvalid) as caught:
        request_from_json(body)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{", b"[" * 100_000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(RequestInvalid, match="is not JSON in UTF-8"):
        request_from_json(body)


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestInvalid, match="it must be an object"):
        request_from_json(body)


def test_too_long_text_keeps_its_error_class() -> None:
    body = json.dumps({"prefix": "x" * 8_000_001, "suffix": ""}).encode()
    with pytest.raises(RequestTooLarge, match="prefix has 8000001 characters"):
        request_from_json(body)


@pytest.mark.parametrize(
    ("name", "max_chars"), [("language_id", 100), ("path", 4096), ("instruction", 20_000)]
)
def test_texts_beside_the_token_budget_are_short(name: str, max_chars: int) -> None:
    fields = {"prefix": "", "suffix": "", "mode": "rewrite", name: "x" * max_chars}
    assert request_from_json(json.dumps(fields).encode())
    fields[name] += "x"
    with pytest.raises(RequestTooLarge, match=f"{name} has {max_chars + 1} characters; at most"):
        request_from_json(json.dumps(fields).encode())


def test_lone_surrogate_cannot_be_sent() -> None:
    with pytest.raises(RequestInvalid, match=r"U\+DC80"):
        request_to_json(InfillRequest("\udc80", ""))


def test_error_comes_back_as_its_class() -> None:
    error = error_from_json(error_to_json(EngineBusy("3 wait.")))
    assert (type(error), str(error)) == (EngineBusy, "3 wait.")
    assert type(error_from_json('{"code": "new", "message": "m"}')) is InfillError
    assert type(error_from_json("<html>")) is InfillError
