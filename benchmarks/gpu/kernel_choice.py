"""Switches `infill_kernels` between its Triton kernels and its references, for this process.

The one place that knows how `infill_kernels.backend` is told.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from infill_kernels import backend

Choice = Literal["triton", "reference"]


@contextmanager
def using(choice: Choice) -> Iterator[None]:
    """Within it, operations run as told wherever the device and the dtype allow it."""
    before = os.environ.get("INFILL_KERNELS")
    _tell(choice)
    try:
        yield
    finally:
        _tell(before)


def _tell(choice: str | None) -> None:
    if choice is None:
        os.environ.pop("INFILL_KERNELS", None)
    else:
        os.environ["INFILL_KERNELS"] = choice
    backend.forget_choices()
