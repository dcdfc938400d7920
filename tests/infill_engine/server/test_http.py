"""What a running engine answers over HTTP, from a real process on the loopback interface."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def engine(shared_engine: Any) -> Iterator[Any]:
    yield shared_engine
    shared_engine.wait_for(num_running=0, num_queued=0)


def test_infill_streams_steps_then_one_done(engine: Any) -> None:
    events = engine.infill("def add(left, right):\n    ")
    assert [name for name, _ in events] == ["step", "step", "step", "done"]
    assert json.loads(events[0][1])["text"] == "return "
    result = json.loads(events[-1][1])
    assert (result["text"], result["finish_reason"]) == ("return left + right", "converged")


def test_health_describes_the_engine(engine: Any) -> None:
    health = engine.health()
    assert (health["status"], health["model"]) == ("ready", "scripted")
    assert health["details"] == {"model": "scripted", "device": "cpu", "num_parameters": 7}


@pytest.mark.parametrize("path", ["/v1/health", "/metrics", "/v1/infill", "/nowhere"])
@pytest.mark.parametrize("header", ["", "Bearer wrong", "Bearer é"])
def test_every_path_wants_the_token(engine: Any, path: str, header: str) -> None:
    answer = engine.http.get(path, headers={"Authorization": header.encode()})
    assert answer.status_code == 401
    assert answer.json()["message"] == "The engine did not accept the token."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"prefix": ""}', "suffix is missing, and it has no default."),
        (b'{"prefix": "", "suffix": "", "mode": "page"}', "mode is 'page'; allowed are line, "),
        (b'{"prefix": "", "suffix": "", "color": 1}', "unknown field: color."),
        (b"\xff", "The request body is not JSON in UTF-8."),
    ],
)
def test_invalid_request_is_422_naming_the_field(engine: Any, body: bytes, message: str) -> None:
    answer = engine.http.post("/v1/infill", content=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "request_invalid"
    assert answer.json()["message"].startswith(message)


def test_oversize_body_is_413_naming_the_limit(engine: Any) -> None:
    answer = engine.http.post("/v1/infill", content=b" " * 150_000)
    assert answer.status_code == 413
    assert "limit of 100000 bytes" in answer.json()["message"]
    assert engine.health()["status"] == "ready"


def test_failing_request_ends_with_error_and_spares_the_engine(engine: Any) -> None:
    ((name, data),) = engine.infill("FAIL secret = 'hunter2'")
    assert name == "error"
    assert json.loads(data)["code"] == "internal"
    assert "hunter2" not in data
    assert engine.infill("x")[-1][0] == "done"
    log = engine.log.read_text()
    assert "ValueError" in log
    assert "hunter2" not in log


def test_error_of_the_contract_keeps_code_and_message(engine: Any) -> None:
    ((name, data),) = engine.infill("OOM")
    assert name == "error"
    assert json.loads(data)["code"] == "out_of_memory"
    assert "1 GiB free" in data


def test_closed_connection_cancels_the_request(engine: Any) -> None:
    with engine.http.stream(
        "POST", "/v1/infill", json={"prefix": "SLOW", "suffix": ""}
    ) as response:
        lines = response.iter_lines()
        assert next(lines) == "event: step"
        assert engine.health()["num_running"] == 1
    engine.wait_for(num_running=0)
    assert "finish=cancelled" in engine.log.read_text()


def test_full_queue_is_503_and_waiting_clients_free_their_place(engine: Any) -> None:
    slow = {"prefix": "SLOW", "suffix": ""}
    with engine.http.stream("POST", "/v1/infill", json=slow):
        engine.wait_for(num_running=1)
        with (
            engine.http.stream("POST", "/v1/infill", json=slow),
            engine.http.stream("POST", "/v1/infill", json=slow),
        ):
            engine.wait_for(num_queued=2)
            answer = engine.http.post("/v1/infill", json=slow)
            assert answer.status_code == 503
            assert answer.json()["code"] == "engine_busy"
            assert "2 requests waiting; at most 2 may" in answer.json()["message"]
        engine.wait_for(num_queued=0, num_running=1)


def test_newer_request_of_a_document_supersedes_the_waiting_one(engine: Any) -> None:
    older: list[Any] = []
    with engine.http.stream("POST", "/v1/infill", json={"prefix": "SLOW", "suffix": ""}):
        engine.wait_for(num_running=1)
        ask = threading.Thread(target=lambda: older.extend(engine.infill("a", "doc")))
        ask.start()
        engine.wait_for(num_queued=1)
        newer: list[Any] = []
        ask_again = threading.Thread(target=lambda: newer.extend(engine.infill("b", "doc")))
        ask_again.start()
        ask.join()
        assert engine.health()["num_queued"] == 1
    ask_again.join()
    assert [name for name, _ in older] == ["done"]
    assert json.loads(older[0][1])["finish_reason"] == "cancelled"
    assert json.loads(newer[-1][1])["finish_reason"] == "converged"


def test_metrics_count_what_was_done(engine: Any) -> None:
    name = 'infill_requests_total{mode="block",outcome="converged"}'
    assert name not in engine.http.get("/metrics").text
    body = {"prefix": "", "suffix": "", "mode": "block"}
    assert engine.http.post("/v1/infill", json=body).status_code == 200
    text = engine.http.get("/metrics").text
    assert f"{name} 1.0" in text
    assert 'infill_prompt_tokens_total{source="cached"}' in text
    assert "infill_queued_requests 0.0" in text
