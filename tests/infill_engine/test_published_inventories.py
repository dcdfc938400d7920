"""What we would look for in the published releases is what their headers hold, counted and weighed.

Numbers of tensors by type, and bytes on disk, as listed publicly for each release; none is at hand
here.
"""

from collections import Counter
from math import prod

import pytest

from infill_engine.checkpoint.layout import Shape, expected_tensors
from infill_engine.checkpoint.pieces import Piece, expert_pieces, parts_of
from infill_engine.format_choice import weight_bytes
from infill_engine.model.config import ModelConfig
from infill_engine.model.quantization import WeightFormat

NUM_IMAGE_TENSORS = 356
IMAGE_BYTES = 51_647_600_000 - 50_501_973_624  # the bfloat16 release, less its text tensors
BYTES = {"I64": 8, "I32": 4, "F32": 4, "BF16": 2, "F8_E4M3": 1, "U8": 1}


def inventory(how: WeightFormat, quantised: tuple[str, ...]) -> tuple[Counter[str], int]:
    """Tensors by type, and bytes, of a release that quantises names with these parts."""
    counts = Counter({"BF16": NUM_IMAGE_TENSORS})
    num_bytes = IMAGE_BYTES
    for name, shape in expected_tensors(ModelConfig()).items():
        if not any(part in name for part in quantised) or len(shape) < 2:
            counts["BF16"] += 1
            num_bytes += 2 * prod(shape)
            continue
        pieces = expert_pieces(name, shape) if len(shape) == 3 else [Piece(name, shape)]
        for piece in pieces:
            for dtype, part_shape in stored_parts(how, piece):
                counts[dtype] += 1
                num_bytes += BYTES[dtype] * prod(part_shape)
    return counts, num_bytes


def stored_parts(how: WeightFormat, piece: Piece) -> list[tuple[str, Shape]]:
    found: list[tuple[str, Shape]] = []
    for part in parts_of(piece, how):
        if part.name.endswith("_g_idx"):
            continue  # none of these releases reorders columns
        dtype = part.dtypes[0]
        if part.name.endswith("_shape"):
            dtype = "I64"
        elif dtype == "F32" and part.name.endswith("weight_scale"):
            dtype = "BF16"
        found.append((dtype, part.shapes[0]))
    return found


@pytest.mark.parametrize(
    ("how", "quantised", "counts", "gigabytes"),
    [
        (
            WeightFormat("nvfp4_modelopt", 4, 16),
            (".experts.",),
            {"U8": 11_520, "F8_E4M3": 11_520, "F32": 23_040, "BF16": 987},
            18.8181,
        ),
        (
            WeightFormat("nvfp4", 4, 16),
            (".experts.", ".mlp."),
            {"U8": 11_610, "F8_E4M3": 11_610, "F32": 23_220, "BF16": 897},
            None,
        ),
        (
            WeightFormat("packed_int", 4, 32),
            (".experts.", ".self_attn."),
            {"I32": 11_635, "I64": 11_635, "BF16": 11_635 + 872},
            17.22,
        ),
        (
            WeightFormat("fp8"),
            (".experts.", ".self_attn.", ".mlp."),
            {"F8_E4M3": 11_725, "BF16": 11_725 + 782},
            27.1977,
        ),
    ],
    ids=["nvfp4 modelopt", "nvfp4", "int4", "fp8"],
)
def test_inventory(
    how: WeightFormat, quantised: tuple[str, ...], counts: dict[str, int], gigabytes: float | None
) -> None:
    got, num_bytes = inventory(how, quantised)
    assert got == counts
    if gigabytes is not None:
        assert num_bytes / 1e9 == pytest.approx(gigabytes, abs=0.01)  # headers are a few megabytes


def test_our_fp8_is_as_large_as_the_published_one() -> None:
    gigabytes = (weight_bytes(ModelConfig(), "fp8") + IMAGE_BYTES) / 1e9
    assert gigabytes == pytest.approx(27.1977, abs=0.01)


def test_the_int4_release_has_as_many_tensors_as_its_index() -> None:
    counts, _ = inventory(WeightFormat("packed_int", 4, 32), (".experts.", ".self_attn."))
    assert counts.total() == 35_777
