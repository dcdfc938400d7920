"""Text to ids and back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infill_engine.api import CheckpointError
from infill_engine.tokenizer import Tokenizer
from tests.tiny_checkpoint import tiny_tokenizer

TOKENIZER = Tokenizer(tiny_tokenizer())


@given(st.text())
def test_round_trip(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_special_names_in_text_stay_text() -> None:
    ids = TOKENIZER.encode("<|prefix|><eos>")
    assert not set(ids) & set(TOKENIZER.special_ids)
    assert TOKENIZER.decode([TOKENIZER.special_id("<|prefix|>")]) == ""


def test_ids_starting_with_are_exactly_those() -> None:
    for text in ("re", " ", "\n", "é"):
        found = TOKENIZER.ids_starting_with(text)
        for token_id in range(TOKENIZER.vocab_size):
            begins = TOKENIZER.decode([token_id]).startswith(text)
            if "\ufffd" not in TOKENIZER.decode([token_id]):
                assert (token_id in found) == begins


def test_gemma_style_vocabulary() -> None:
    from tokenizers import Tokenizer as HFTokenizer
    from tokenizers import decoders, models

    vocab = {"<pad>": 0, "▁re": 1, "▁return": 2, "<0x0A>": 3, "re": 4}
    inner = HFTokenizer(models.BPE(vocab, [], byte_fallback=True))
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback()])
    tokenizer = Tokenizer(inner)
    assert sorted(tokenizer.ids_starting_with(" re")) == [1, 2]
    assert tokenizer.ids_starting_with("\n") == [3]


def test_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        Tokenizer.from_folder(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"half": ')
    with pytest.raises(CheckpointError, match="cannot be read as a tokenizer"):
        Tokenizer.from_folder(tmp_path)
