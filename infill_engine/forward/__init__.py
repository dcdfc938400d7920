"""How the model is run for the engine: operation by operation, or captured as CUDA graphs."""

from infill_engine.forward.eager import EagerForward
from infill_engine.forward.prediction import Forward, Prediction, Wanted

__all__ = ["EagerForward", "Forward", "Prediction", "Wanted"]
