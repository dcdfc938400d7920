"""Numeric operations of the denoising step, each in a file of its own.

Every op has a plain PyTorch reference, which is also the CPU path. Knows no model, no canvas
policy and no text. Shape letters: B batch, T query tokens, S keys, N rows (B*T), E hidden,
I expert hidden, X experts, K experts per row, H query heads, G key-value heads, D head size,
C canvas, V vocabulary.
"""

from infill_kernels.attention import (
    OwnCaches,
    attend,
    attend_cached,
    attend_own_caches,
    store_in_own_cache,
    store_keys_values,
)
from infill_kernels.heads import prepare_heads
from infill_kernels.int8 import (
    Int8Rows,
    int8_linear,
    int8_mixture,
    multiplies_int8,
    quantize_rows,
)
from infill_kernels.int8_moe import run_int8_experts
from infill_kernels.layer_norms import branch_inputs, finish_layer
from infill_kernels.moe import route, run_choices, run_experts
from infill_kernels.rms_norm import rms_norm
from infill_kernels.rotary import rotary_frequencies, rotate
from infill_kernels.sampler import Predicted, predict_tokens, soft_embeddings
from infill_kernels.token_statistics import BANNED_LOGIT, TokenStatistics, token_statistics

__all__ = [
    "BANNED_LOGIT",
    "Int8Rows",
    "OwnCaches",
    "Predicted",
    "TokenStatistics",
    "attend",
    "attend_cached",
    "attend_own_caches",
    "branch_inputs",
    "finish_layer",
    "int8_linear",
    "int8_mixture",
    "multiplies_int8",
    "predict_tokens",
    "prepare_heads",
    "quantize_rows",
    "rms_norm",
    "rotary_frequencies",
    "rotate",
    "route",
    "run_choices",
    "run_experts",
    "run_int8_experts",
    "soft_embeddings",
    "store_in_own_cache",
    "store_keys_values",
    "token_statistics",
]
