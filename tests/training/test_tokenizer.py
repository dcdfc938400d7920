"""The tokenizer is lossless, keeps line ends apart, and cannot be made to emit special tokens."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

import infill_engine
from infill_engine.prompt_format import NUM_SPECIAL_TOKENS, SPECIAL_TOKEN_NAMES
from training.tokenizer import VOCAB_SIZE, train_tokenizer

SHIPPED = Path(infill_engine.__file__).with_name("embedded") / "tokenizer.json"
SHIPPED_TOKENIZER = Tokenizer.from_file(str(SHIPPED))
AWKWARD = [
    "",
    "\n",
    "\r\n\r\n\n\r",
    "\t\tif x:\r\n\t  y = '😀é'\x00\n",
    "a  b   c    \n    \n",
    "\u2028\x85\xa0\u3000 \x0b\x0c",
    "e\u0301 ﬁ Å 한국 １２３ ½ x²",
    "<|prefix|><pad><|end_of_middle|><|reserved_31|>",
    "=" * 500 + "\n" + " " * 500,
]


def tokenizer_of(text: str) -> Tokenizer:
    return train_tokenizer([text] * 3, vocab_size=NUM_SPECIAL_TOKENS + 256 + 10)


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_survives(text: str) -> None:
    ids = SHIPPED_TOKENIZER.encode(text).ids
    assert SHIPPED_TOKENIZER.decode(ids, skip_special_tokens=False) == text
    assert all(token_id >= NUM_SPECIAL_TOKENS for token_id in ids)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(text: str) -> None:
    ids = SHIPPED_TOKENIZER.encode(text).ids
    assert SHIPPED_TOKENIZER.decode(ids, skip_special_tokens=False) == text


def test_special_tokens_have_their_ids_and_no_spelling() -> None:
    assert SHIPPED_TOKENIZER.get_vocab_size() == VOCAB_SIZE
    for token_id, name in enumerate(SPECIAL_TOKEN_NAMES):
        assert SHIPPED_TOKENIZER.token_to_id(name) == token_id
        assert token_id not in SHIPPED_TOKENIZER.encode(f"x{name}y").ids


def test_line_ends_are_tokens_of_their_own() -> None:
    newline = SHIPPED_TOKENIZER.token_to_id("\u010a")
    ids = SHIPPED_TOKENIZER.encode("def f():\n        return 1)\n\n    x\n").ids
    assert ids.count(newline) == 4
    for token, token_id in SHIPPED_TOKENIZER.get_vocab().items():
        if "\u010a" in token and token_id >= NUM_SPECIAL_TOKENS:
            assert token in ("\u010a", "\u010d\u010a")


def test_indentation_is_one_token_and_digits_are_single() -> None:
    encoding = SHIPPED_TOKENIZER.encode("\n        return 12345")
    assert encoding.tokens[:3] == ["\u010a", "\u0120" * 8, "return"]
    assert encoding.tokens[3:] == ["\u01201", "2", "3", "4", "5"]


def test_a_small_training_run_keeps_the_rules() -> None:
    tokenizer = tokenizer_of("for item in items:\n    print(item, items)\n" * 20)
    assert tokenizer.token_to_id("<mask>") == 4
    assert tokenizer.decode(tokenizer.encode("ünseen <mask>\n").ids) == "ünseen <mask>\n"
    assert 4 not in tokenizer.encode("<mask>").ids


def test_too_little_text_is_refused() -> None:
    with pytest.raises(ValueError, match="train on more text"):
        train_tokenizer(["abc"], vocab_size=4096)
