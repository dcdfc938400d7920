"""A float checkpoint becomes a quantised one, file by file, tensor by tensor.

Knows nothing of modules, devices or of how the result is shown.
"""

from infill_engine.checkpoint.conversion.convert import Conversion, quantize_checkpoint

__all__ = ["Conversion", "quantize_checkpoint"]
