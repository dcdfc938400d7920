"""Changes a written checkpoint, and reads what loading it is refused with. For tests of damage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from infill_engine.api import CheckpointError
from infill_engine.checkpoint import load_model

Tensors = dict[str, torch.Tensor]


def edit_tensors(folder: Path, edit: Callable[[Tensors], Any]) -> None:
    """Let `edit` change the tensors of a folder with one weight file."""
    path = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    edit(tensors)
    save_file(tensors, path)


def message_of_loading(folder: Path) -> str:
    """The one sentence or more with which loading is refused."""
    with pytest.raises(CheckpointError) as caught:
        load_model(folder, torch.device("cpu"), torch.float32)
    message = str(caught.value)
    assert message[-1] in ".?" and "\n" not in message
    return message
