"""Switches `infill_kernels` between its Triton kernels and its references, for this process.

The one place that knows how `infill_kernels.backend` is told.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from infill_kernels.backend import VARIABLE, forget_choices

Wish = Literal["auto", "triton", "reference"]


@contextmanager
def using(wish: Wish) -> Iterator[None]:
    """Within it, operations run as told wherever the device and the dtype allow it.

    "auto" is what the engine does by itself: kernels, if they prove themselves on the model.
    """
    before = os.environ.get(VARIABLE)
    _tell(wish)
    try:
        yield
    finally:
        _tell(before)


def _tell(wish: str | None) -> None:
    if wish is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = wish
    forget_choices()
