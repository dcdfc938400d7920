"""The sampler's first half on a GPU: the head product and the merging of its tiles, two launches.

`soft_embedding` is the other half. Picks block sizes by the GPU and the number of rows; nothing is
tuned at run time and nothing waits for the GPU. Knows no model.
"""

from torch import Tensor

from infill_kernels.moe_configs import chip_of
from infill_kernels.sampler import Predicted, check_arguments
from infill_kernels.sampler_configs import choose_config
from infill_kernels.sampler_head import head_product
from infill_kernels.sampler_reduce import reduce_tiles


def predict_tokens(
    hidden: Tensor,
    table: Tensor,
    softcap: float,
    forbidden: Tensor,
    temperature: Tensor,
    seed: Tensor,
    canvas_length: int,
    pinned_ids: Tensor | None = None,
) -> Predicted:
    """`sampler.predict_tokens`, with the same arguments and errors.

    Raw scores stay float32 until they are softcapped, where the reference rounds a half-precision
    product; the same logits give the same ids, but where a probability's last bits decide.
    Deterministic. Synchronizes: no; may be captured in a CUDA graph once it has run with as many
    rows before, as the first call compiles. Temperature and seed are read when it runs.
    """
    check_arguments(hidden, table, softcap, forbidden, temperature, seed, canvas_length, pinned_ids)
    config = choose_config(chip_of(hidden.device), len(hidden)).head
    tiles = head_product(hidden, table, softcap, forbidden, temperature, canvas_length, config)
    return reduce_tiles(tiles, temperature, seed, pinned_ids)
