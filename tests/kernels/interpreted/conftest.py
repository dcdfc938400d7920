"""These tests run Triton's interpreter, which is chosen before Triton is first imported.

So they need a process of their own: `tests/kernels/test_interpreted.py` starts it, with the
environment variable set. In any other they are not collected.
"""

import math
import os
from collections.abc import Callable
from typing import Any

import pytest
import torch

collect_ignore_glob = [] if os.environ.get("TRITON_INTERPRET") == "1" else ["test_*.py"]


@pytest.fixture(autouse=True)
def poisoned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill what `torch.empty` gives with NaN or a huge number, so that unset elements show."""
    empty: Callable[..., torch.Tensor] = torch.empty

    def poisoned(*shape: Any, **options: Any) -> torch.Tensor:
        tensor = empty(*shape, **options)
        return tensor.fill_(math.nan if tensor.is_floating_point() else 2**30)

    monkeypatch.setattr(torch, "empty", poisoned)
