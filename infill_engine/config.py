"""Which model to run, where and how. Knows nothing of requests."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from infill_engine.api import ConfigError

EMBEDDED = "embedded"
_DEVICES = ("auto", "cpu", "cuda")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_MAX_DEFAULT_THREADS = 4  # more only add barriers at a canvas' small matrix products


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Settings of one engine.

    Attributes:
        model: "embedded", or the folder of a DiffusionGemma checkpoint.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".
        dtype: "auto" (bfloat16 on a GPU, float32 on a CPU), "float32" or "bfloat16".
        num_threads: CPU threads for matrix products, at least 1; None chooses.
        max_context_tokens: prompt tokens kept, at least 64; None takes the checkpoint's own.
    """

    model: str = EMBEDDED
    device: str = "auto"
    dtype: str = "auto"
    num_threads: int | None = None
    max_context_tokens: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigError: names the setting, its value and what is allowed.
        """
        if self.device not in _DEVICES and not re.fullmatch(r"cuda:\d+", self.device):
            raise ConfigError(f"device is {self.device!r}; allowed are auto, cpu, cuda, cuda:N.")
        if self.dtype != "auto" and self.dtype not in _DTYPES:
            raise ConfigError(f"dtype is {self.dtype!r}; allowed are auto, {', '.join(_DTYPES)}.")
        if self.num_threads is not None and self.num_threads < 1:
            raise ConfigError(f"num_threads is {self.num_threads}; it must be at least 1.")
        if self.max_context_tokens is not None and self.max_context_tokens < 64:
            raise ConfigError(
                f"max_context_tokens is {self.max_context_tokens}; it must be at least 64."
            )

    @property
    def folder(self) -> Path:
        """Folder of the model's files."""
        if self.model == EMBEDDED:
            return Path(__file__).parent / "embedded"
        return Path(self.model).expanduser()

    def torch_device(self) -> torch.device:
        """The device asked for.

        Raises:
            ConfigError: a GPU was asked for and there is none.
        """
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device != "cpu" and not torch.cuda.is_available():
            raise ConfigError(
                f"device is {self.device!r}, but torch {torch.__version__} sees no GPU. "
                "Install a CUDA build of torch, or set the device to cpu."
            )
        return torch.device(self.device)

    def torch_dtype(self) -> torch.dtype:
        """The number format asked for; by default bfloat16 where the device multiplies in it.

        On two cores with avx512_bf16 a step of the embedded model took 24 ms in bfloat16 and 35 ms
        in float32; a CPU without such instructions emulates bfloat16 and is slower with it.
        """
        if self.dtype != "auto":
            return _DTYPES[self.dtype]
        if self.torch_device().type == "cuda":
            return torch.bfloat16
        able = torch.cpu.get_capabilities()
        has_bfloat16 = able.get("avx512_bf16", False) or able.get("amx_bf16", False)
        return torch.bfloat16 if has_bfloat16 else torch.float32

    def chosen_num_threads(self) -> int:
        """CPU threads to use; by default one for every two logical CPUs, at most four.

        Two logical CPUs often share one core's arithmetic: on two of them a step of the embedded
        model took 30 ms with one thread and 34 ms with two.
        """
        if self.num_threads is not None:
            return self.num_threads
        return max(1, min((os.cpu_count() or 1) // 2, _MAX_DEFAULT_THREADS))
