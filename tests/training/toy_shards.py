"""A corpus a tiny model can learn in seconds: sequences that count upwards, with a gap."""

from pathlib import Path

import numpy as np

from infill_engine.prompt_format import NUM_SPECIAL_TOKENS, SPECIAL_TOKEN_NAMES
from training.examples import Example
from training.shards import write_shard
from training.spans import SpanKind

VOCAB_SIZE = 96
_BOS, _SUFFIX, _PREFIX, _END = (
    SPECIAL_TOKEN_NAMES.index(name)
    for name in ("<bos>", "<|suffix|>", "<|prefix|>", "<|end_of_middle|>")
)


def counting_example(rng: np.random.Generator) -> Example:
    start = int(rng.integers(NUM_SPECIAL_TOKENS, VOCAB_SIZE))
    num_prefix, num_middle, num_suffix = rng.integers((3, 1, 2), (8, 6, 5)).tolist()
    count = np.arange(start, start + num_prefix + num_middle + num_suffix)
    ids = (count - NUM_SPECIAL_TOKENS) % (VOCAB_SIZE - NUM_SPECIAL_TOKENS) + NUM_SPECIAL_TOKENS
    prefix, middle, suffix = np.split(ids, [num_prefix, num_prefix + num_middle])
    return Example(
        context=np.array([_BOS, _SUFFIX, *suffix, _PREFIX, *prefix], np.uint16),
        middle=np.array([*middle, _END], np.uint16),
        kind=SpanKind.REST_OF_LINE,
        language="python",
        budget=32,
        is_healed=False,
    )


def write_toy_shards(root: Path, num_examples: int = 400) -> Path:
    rng = np.random.default_rng(0)
    for split, size in (("train", num_examples), ("dev", 24)):
        write_shard(root / f"{split}-00000", [counting_example(rng) for _ in range(size)], {})
    return root
