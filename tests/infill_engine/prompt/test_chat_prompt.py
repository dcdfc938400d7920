"""Prompts of DiffusionGemma: chat format, closed thought, anchors; and a whole run with them."""

from pathlib import Path

import pytest
from tokenizers import AddedToken
from tokenizers import Tokenizer as HFTokenizer

from infill_engine.api import InfillRequest, InfillUpdate, RequestTooLarge
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import GenerationConfig
from infill_engine.prompt.chat_prompt import ChatPrompt
from infill_engine.tokenizer import Tokenizer
from tests.tiny_checkpoint import tiny_config, tiny_tokenizer, write_tiny_checkpoint

CHAT_TOKENS = ["<|turn>", "<turn|>", "<|channel>", "<channel|>"]
GENERATION = GenerationConfig(
    eos_token_ids=(1,), max_context_tokens=1024, max_denoising_steps=4, settle_steps=1
)


def chat_tokenizer() -> HFTokenizer:
    """The tiny vocabulary with Gemma 4's chat tokens instead of infill tokens."""
    inner = HFTokenizer.from_str(
        tiny_tokenizer().to_str().replace("<|end_of_middle|>", "<unused5>")
    )
    inner.add_special_tokens([AddedToken(name, special=True) for name in CHAT_TOKENS])
    return inner


TOKENIZER = Tokenizer(chat_tokenizer())
PREFIX = "import os\n\ndef size(path):\n    return "
SUFFIX = "\n\nprint(size('.'))\n"


def spell(token_ids: tuple[int, ...]) -> str:
    names = {TOKENIZER.special_id(name): name for name in ("<bos>", *CHAT_TOKENS)}
    return "".join(names.get(i) or TOKENIZER.decode([i]) for i in token_ids)


def build(**changes: object):  # noqa: ANN201
    request = InfillRequest(
        **{"prefix": PREFIX, "suffix": SUFFIX, "language_id": "python", **changes}  # pyright: ignore
    )
    return ChatPrompt(TOKENIZER, GENERATION, canvas_length=256).build(request)


def test_both_sides_stand_in_the_user_turn_suffix_first_and_the_model_turn_is_begun() -> None:
    prefix = "".join(f"line_{i} = {i}\n" for i in range(40)) + "    return "
    text = spell(build(prefix=prefix).token_ids)
    user, _, model = text.partition("<turn|>\n<|turn>model\n")
    assert user.startswith("<bos><|turn>user\n")
    assert user.index("print(size('.'))") < user.index("line_0 = 0")
    assert model.startswith("<|channel>thought\n<channel|>```python\n")
    assert "line_39 = 39\n" in model
    assert "line_39 = 39" not in user


def test_rewrite_carries_instruction_and_selection() -> None:
    text = spell(
        build(mode="rewrite", selection="os.stat(path)", instruction="use pathlib").token_ids
    )
    assert "Instruction: use pathlib" in text
    assert "os.stat(path)" in text


def test_anchor_holds_the_suffix_for_every_gap() -> None:
    anchor = build().anchor
    assert anchor is not None
    assert TOKENIZER.decode(anchor.token_ids).startswith("\n\nprint(")
    for gap in anchor.gap_lengths:
        assert len(anchor.token_ids) >= anchor.canvas_length - gap


@pytest.mark.parametrize("change", [{"suffix": " \n"}, {"draft": "len(x)"}])
def test_no_anchor_without_something_to_hold_on_to(change: dict[str, str]) -> None:
    assert build(**change).anchor is None


def test_a_whole_run_with_anchors(tmp_path: Path) -> None:
    config = tiny_config(canvas_length=64, vocab_size=TOKENIZER.vocab_size)
    write_tiny_checkpoint(tmp_path, config=config, generation=GENERATION)
    chat_tokenizer().save(str(tmp_path / "tokenizer.json"))
    engine = Engine.load(EngineConfig(model=str(tmp_path), num_threads=1))
    assert engine.describe()["prompt"] == "ChatPrompt"
    for mode in ("line", "block"):
        events = list(engine.stream(InfillRequest(PREFIX, SUFFIX, "python", mode=mode)))
        result = events[-1]
        assert not isinstance(result, InfillUpdate)
        assert result.finish_reason in ("converged", "line_settled", "max_steps")
        assert result.num_canvases == 1
        assert 0 < result.num_tokens <= 40
        assert engine.infill(InfillRequest(PREFIX, SUFFIX, "python", mode=mode)).text == result.text


def test_a_selection_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(RequestTooLarge, match=r"more than 512 tokens.*Select less"):
        build(mode="rewrite", selection="x = y + z\n" * 100_000)
    long, short = (
        build(mode="rewrite", prefix="a = b\n" * 900, suffix="c = d\n" * 900, selection=selection)
        for selection in ("x = y\n" * 60, "x = y\n")
    )
    num_selected = len(TOKENIZER.encode("x = y\n" * 60))
    growth = len(long.token_ids) - len(short.token_ids)
    assert growth < 0.6 * num_selected, "the sides make room for it"
