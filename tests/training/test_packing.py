"""Packed examples hold the prompt the engine would build; the reader is seeded and resumable."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

import infill_engine
from infill_engine.prompt_format import (
    NUM_PROMPT_MARKERS,
    SPECIAL_TOKEN_NAMES,
    SpecialIds,
    assemble_prompt,
    split_budget,
)
from training.examples import Example, ExampleMaker, ExampleSettings, SourceFile
from training.packing import ShardJob, jobs, parse_budgets, write_all
from training.shards import ShardReader, write_shard
from training.spans import SpanKind, SpanMix

TOKENIZER = Tokenizer.from_file(
    str(Path(infill_engine.__file__).with_name("embedded") / "tokenizer.json")
)
SPECIAL = SpecialIds.from_vocabulary(TOKENIZER.token_to_id)
FILES = [
    SourceFile("demo", "python", f"demo/pkg/part_{n}.py", f"# größe {n} 😀\n" + body * 30)
    for n, body in enumerate(
        [
            "def scale(values, factor):\n    return [value * factor for value in values]\n\n\n",
            "class Reader:\n    def read_all(self):\n        return self.handle.read()\n\n\n",
        ]
    )
]


def make(num_examples: int = 200, **settings: object) -> list[Example]:
    maker = ExampleMaker(FILES, TOKENIZER, ExampleSettings(**settings))  # type: ignore[arg-type]
    return list(maker.examples(num_examples, seed=1))


def text_of(ids: np.ndarray) -> str:
    kept = [int(token_id) for token_id in ids if token_id >= len(SPECIAL_TOKEN_NAMES)]
    return TOKENIZER.decode(kept, skip_special_tokens=False)


def parts_of(example: Example) -> tuple[str, str, str]:
    context = list(example.context)
    suffix_at, prefix_at = context.index(SPECIAL.suffix), context.index(SPECIAL.prefix)
    # The far ends of the context may fall inside a wide character.
    return (
        text_of(example.context[prefix_at + 1 :]).lstrip("\ufffd"),
        text_of(example.middle),
        text_of(example.context[suffix_at + 1 : prefix_at]).rstrip("\ufffd"),
    )


def test_prompt_layout() -> None:
    prompt = assemble_prompt(SPECIAL, [100], [101, 102], [([103], [104, 105])], [106], [107, 108])
    newline = SPECIAL.newline
    assert prompt == [2, 9, 100, 8, 101, 102, 10, 103, newline, 104, 105, 6, 106, 7, 107, 108]
    assert len(assemble_prompt(SPECIAL, [], [], [], [], [])) == NUM_PROMPT_MARKERS


def test_special_ids_are_read_from_the_vocabulary() -> None:
    assert SpecialIds(newline=SPECIAL.newline) == SPECIAL
    with pytest.raises(ValueError, match="no token"):
        SpecialIds.from_vocabulary(lambda name: None)


@pytest.mark.parametrize(
    ("num_prefix", "num_suffix", "expected"),
    [(90, 90, (60, 30)), (10, 90, (10, 80)), (90, 5, (85, 5)), (3, 4, (3, 4)), (0, 0, (0, 0))],
)
def test_unused_budget_goes_to_the_other_side(
    num_prefix: int, num_suffix: int, expected: tuple[int, int]
) -> None:
    assert split_budget(num_prefix, num_suffix, 90) == expected


def test_examples_reproduce_the_file_around_the_gap() -> None:
    for example in make(300, snippet_rate=0.0):
        prefix, middle, suffix = parts_of(example)
        if example.kind is not SpanKind.LEFT_TO_RIGHT:
            assert any(prefix + middle + suffix in file.text for file in FILES)
        assert example.middle[-1] == SPECIAL.end_of_middle
        assert len(example.context) <= example.budget
        assert len(example.middle) <= 257


def test_healing_moves_the_last_token_into_the_middle() -> None:
    rest = SpanMix(0, 1, 0, 0, 0, 0, 0)
    healed = [e for e in make(200, mix=rest, healed_rate=1.0, snippet_rate=0) if e.is_healed]
    plain = make(200, mix=rest, healed_rate=0.0, snippet_rate=0)
    assert len(healed) > 150 and not any(e.is_healed for e in plain)
    for example in healed:
        prefix, middle, suffix = parts_of(example)
        assert any(prefix + middle + suffix in file.text for file in FILES)
    # A prefix that ends with a line end is never cut back.
    assert all(parts_of(e)[1] for e in healed)


def test_snippets_stay_within_the_budget() -> None:
    examples = make(100, budgets={256: 1.0}, snippet_rate=1.0)
    assert any(SPECIAL.snippet in example.context for example in examples)
    assert all(len(example.context) <= 256 for example in examples)


def test_too_long_middles_are_drawn_anew() -> None:
    assert all(len(example.middle) <= 9 for example in make(50, max_middle_tokens=8))


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    examples = make(130)
    write_shard(tmp_path / "train-00000", examples[:70], {})
    write_shard(tmp_path / "train-00001", examples[70:], {})
    return tmp_path


def test_shards_give_back_the_examples(packed: Path) -> None:
    reader = ShardReader(packed, "train")
    for idx, example in enumerate(make(130)):
        context, middle = reader.example(idx)
        assert np.array_equal(context, example.context)
        assert np.array_equal(middle, example.middle)
        assert reader.kind[idx] == example.kind


def test_batches_are_padded_and_cover_each_example_once(packed: Path) -> None:
    reader = ShardReader(packed, "train")
    batches = list(reader.epoch(batch_size=13, seed=5))
    seen = np.concatenate([batch.example_idx for batch in batches])
    assert sorted(seen) == list(range(130)) and len(batches) == reader.num_batches(13)
    for batch in batches:
        for row, idx in enumerate(batch.example_idx):
            context, middle = reader.example(int(idx))
            assert np.array_equal(batch.context[row, : batch.context_lengths[row]], context)
            assert not batch.context[row, batch.context_lengths[row] :].any()
            assert np.array_equal(batch.middle[row, : batch.middle_lengths[row]], middle)


def test_an_epoch_can_be_resumed(packed: Path) -> None:
    reader = ShardReader(packed, "train")
    whole = [batch.example_idx.tolist() for batch in reader.epoch(10, seed=3, epoch=2)]
    rest = [b.example_idx.tolist() for b in reader.epoch(10, seed=3, epoch=2, start_batch=4)]
    other = [batch.example_idx.tolist() for batch in reader.epoch(10, seed=3, epoch=1)]
    assert whole[4:] == rest and whole != other


def test_epoch_can_be_limited_to_short_budgets(packed: Path) -> None:
    reader = ShardReader(packed, "train")
    for batch in reader.epoch(5, seed=0, max_context=96):
        assert batch.context.shape[1] <= 96


def test_missing_shards_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"training\.packing"):
        ShardReader(tmp_path, "dev")


def test_budgets_flag() -> None:
    assert parse_budgets("96:40,512:10", 256) == {96: 40.0}
    with pytest.raises(ValueError, match="--budgets"):
        parse_budgets("512:1", 256)


def test_a_shard_is_the_same_whoever_writes_it(tmp_path: Path) -> None:
    """Numbers, not processes or the order of writing, decide what a shard holds."""
    found = jobs(tmp_path, "train", 60_000, first_shard=3, budgets={96: 1.0})
    assert [(job.folder.name, job.num_examples) for job in found] == [
        ("train-00003", 25_000),
        ("train-00004", 25_000),
        ("train-00005", 10_000),
    ]
    assert found[0].seed == jobs(tmp_path, "train", 9, 3, {96: 1.0})[0].seed
    maker = ExampleMaker(FILES, TOKENIZER, ExampleSettings())
    read: list[list[list[int]]] = []
    for num_processes in (1, 2):
        folder = tmp_path / str(num_processes)
        small = [ShardJob(folder / job.folder.name, 30, job.seed, {}) for job in found]
        lines = list(write_all(maker, small, num_processes))
        assert sorted(line.split(":")[0] for line in lines) == [job.folder.name for job in small]
        batches = ShardReader(folder, "train").epoch(10, seed=0, epoch=0)
        read.append([batch.context.flatten().tolist() for batch in batches])
    assert read[0] == read[1]
