"""Where a middle ends, and what of it is shown and settled."""

import pytest

from infill_engine.api import Mode
from infill_engine.middle import Middle
from infill_engine.prompt.prompt import Prompt
from infill_engine.tokenizer import Tokenizer
from tests.tiny_checkpoint import END_OF_MIDDLE_ID, tiny_tokenizer

END = END_OF_MIDDLE_ID
TOKENIZER = Tokenizer(tiny_tokenizer())


def middle(text: str, mode: Mode = "block", healed: str = "", stop: str = "", limit: int = 99):  # noqa: ANN201
    prompt = Prompt((), healed=healed, stop_text=stop)
    return Middle(TOKENIZER, prompt, (END, 0), mode, limit), TOKENIZER.encode(text)


def test_text_ends_at_the_end_mark() -> None:
    it, ids = middle("return x")
    it.show([*ids, END, *ids], num_settled=0)
    assert it.text == "return x"
    assert it.ending(settled_only=False) == "mark"
    assert it.ending(settled_only=True) is None
    it.show([*ids, END, *ids], num_settled=len(ids) + 1)
    assert it.ending(settled_only=True) == "mark"
    assert it.settled_text == "return x"


def test_line_mode_cuts_at_the_line_break() -> None:
    it, ids = middle("x + 1\r\ny = 2", mode="line")
    it.show(ids, num_settled=len(ids))
    assert it.text == "x + 1"
    assert it.ending(settled_only=True) == "line"


def test_healed_characters_are_left_out() -> None:
    it, ids = middle("return x", healed="ret")
    it.show(ids, num_settled=1)
    assert it.text == "urn x"


def test_canvases_add_up_and_the_limit_ends_the_middle() -> None:
    it, ids = middle("abc", limit=2 * len(TOKENIZER.encode("abc")))
    it.show(ids, num_settled=0)
    assert it.ending(settled_only=False) is None
    assert it.commit() == ids
    it.show(ids, num_settled=1)
    assert it.text == "abcabc"
    assert it.settled_text.startswith("abc")
    assert it.ending(settled_only=False) == "limit"
    it.limit_to(1)
    assert len(it.token_ids) == 1


def test_stop_text_ends_the_middle() -> None:
    it, ids = middle("x = 1\n```\nmore", stop="```")
    it.show(ids, num_settled=0)
    assert it.text == "x = 1"
    assert it.ending(settled_only=False) == "mark"


@pytest.mark.parametrize("text", ["é", "🎉", "日本"])
def test_half_a_character_is_not_settled(text: str) -> None:
    it, ids = middle("a" + text)
    for num_settled in range(len(ids) + 1):
        it.show(ids, num_settled)
        assert ("a" + text).startswith(it.settled_text)


@pytest.mark.parametrize(
    ("text", "mode", "healed"),
    [
        ("x = '😀é'", "block", ""),
        ("return x", "block", "ret"),
        ("x + 1\ny = 2", "line", ""),
        ("été", "block", "é"),
    ],
)
def test_each_position_spells_its_characters(text: str, mode: Mode, healed: str) -> None:
    it, ids = middle(text, mode=mode, healed=healed)
    it.show([*ids, END, *ids], num_settled=0)
    counts = it.canvas_token_chars(len(it.text))
    assert len(counts) == 2 * len(ids) + 1
    assert sum(counts) == len(it.text)
    assert set(counts[len(ids) :]) == {0}
    for num_tokens in range(len(ids) + 1):
        if it.num_chars_of_first(num_tokens) <= len(it.text) and text.isascii():
            assert sum(counts[:num_tokens]) == it.num_chars_of_first(num_tokens)


def test_committed_canvases_are_not_counted_again() -> None:
    it, ids = middle("abc")
    it.show(ids, num_settled=0)
    it.commit()
    it.show([*ids, END], num_settled=0)
    assert sum(it.canvas_token_chars(len(it.text))) == len(it.text) - 3
    assert it.num_chars_begun()[-1] == 6
