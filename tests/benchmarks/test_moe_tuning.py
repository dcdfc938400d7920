"""The search for block sizes tries what the published model's matrices can be cut into."""

import pytest
from infill_kernels.moe_weights import WeightFormat

pytest.importorskip("triton", reason="Triton is installed on Linux only")

from benchmarks.moe_tuning import candidates


@pytest.mark.parametrize("weight_format", WeightFormat)
@pytest.mark.parametrize("block_m", [16, 32, 64, 128])
def test_candidates(weight_format: WeightFormat, block_m: int) -> None:
    tried = list(candidates(block_m, weight_format))
    assert len(set(tried)) == len(tried)
    assert 10 <= len(tried) <= 30, "each takes a second to compile and the machine is lent"
    assert all(config.block_m == block_m for config in tried)
    if weight_format == WeightFormat.INT4:
        assert all(64 % config.block_k == 0 for config in tried)
