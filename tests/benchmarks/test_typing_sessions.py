"""Contexts for the latency benchmark: real text, of the size asked for, always the same."""

import random
import sysconfig
from pathlib import Path

import pytest

from benchmarks.typing_sessions import typed_lengths, typing_sessions
from infill_engine.api import ConfigError
from infill_engine.tokenizer import Tokenizer
from tests.tiny_checkpoint import tiny_tokenizer

TOKENIZER = Tokenizer(tiny_tokenizer())


def test_sessions_are_cut_from_different_files() -> None:
    sessions = typing_sessions(5, 400, TOKENIZER, seed=3)
    assert len({session.path for session in sessions}) == 5
    for session in sessions:
        text = (Path(sysconfig.get_path("stdlib")) / session.path).read_text(encoding="utf-8")
        assert session.prefix + session.line + session.suffix in text
        assert session.suffix.startswith("\n")
        assert "\n" not in session.line


def test_context_has_the_size_asked_for() -> None:
    for session in typing_sessions(3, 400, TOKENIZER, seed=0):
        num_tokens = len(TOKENIZER.encode(session.prefix)) + len(TOKENIZER.encode(session.suffix))
        assert abs(num_tokens - 400) <= 8  # the cut may fall inside what is one token otherwise


def test_same_seed_same_sessions() -> None:
    first = typing_sessions(3, 200, TOKENIZER, seed=7)
    assert first == typing_sessions(3, 200, TOKENIZER, seed=7)
    assert first != typing_sessions(3, 200, TOKENIZER, seed=8)


def test_too_much_context_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="Lower the requests or the context tokens"):
        typing_sessions(3, 10_000_000, TOKENIZER, seed=0)


def test_typing_goes_on_by_one_to_five_characters() -> None:
    lengths = typed_lengths(100, random.Random(0))
    steps = {after - before for before, after in zip([0, *lengths], lengths, strict=False)}
    assert steps == {1, 2, 3, 4, 5}


def test_a_request_holds_what_was_typed() -> None:
    (session,) = typing_sessions(1, 200, TOKENIZER, seed=0)
    request = session.request(4, seed=1)
    assert request.prefix == session.prefix + session.line[:4]
    assert (request.suffix, request.mode, request.seed) == (session.suffix, "line", 1)
