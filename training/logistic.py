"""Logistic regression by Newton's method, for the few numbers that calibrate a model."""

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

_NUM_STEPS = 30
_RIDGE = 1e-2  # keeps the weights finite where the classes can be told apart exactly


def fit_logistic(features: F64, labels: F64) -> list[float]:
    """Weights that make sigmoid(bias + features @ weights) the likeliest source of the labels.

    Args:
        features: [N, F].
        labels: [N], 0 or 1.

    Returns:
        The bias, then F weights.
    """
    rows = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    weights = np.zeros(rows.shape[1])
    ridge = _RIDGE * np.eye(rows.shape[1])
    for _ in range(_NUM_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(rows @ weights, -50, 50)))
        gradient = rows.T @ (labels - p) - ridge @ weights
        hessian = (rows * (p * (1 - p))[:, None]).T @ rows + ridge
        weights = weights + np.linalg.solve(hessian, gradient)
    return [round(weight, 4) for weight in weights.tolist()]
