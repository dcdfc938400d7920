"""Model weights on disk, in the official DiffusionGemma layout: reading, checking, writing.

`weights` is the seam: official tensors in floats, or as published quantised releases store them.

Knows nothing of tokenizers, prompts or sampling.
"""

from infill_engine.checkpoint.layout import expected_tensors
from infill_engine.checkpoint.loader import load_model, stored_bytes, stores_int8
from infill_engine.checkpoint.writer import save_checkpoint

__all__ = ["expected_tensors", "load_model", "save_checkpoint", "stored_bytes", "stores_int8"]
