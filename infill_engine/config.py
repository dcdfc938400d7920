"""Which model to run, where and how. Knows nothing of requests."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from infill_engine.api import MAX_BATCH_LIMIT, ConfigError
from infill_engine.checkpoint import stores_int8
from infill_engine.generation_config import read_generation_config
from infill_engine.gpu_format import GpuFormat, available_bytes, choose_gpu_format, kernels_run
from infill_engine.precision import DTYPES, Precision, choose_precision

EMBEDDED = "embedded"
KV_CACHES = ("auto", "fp8")
_DEVICES = ("auto", "cpu", "cuda")
_DEFAULT_MAX_BATCH = 4
"""The fourth row still makes a step of the embedded model cheaper by a tenth a position, the eighth
by less."""
_MAX_KV_SLOTS = 1024
_DEFAULT_SLOTS_BYTES = 32 << 20
"""Keys and values kept beside those in use: 32 prompts of the embedded model."""
_MAX_DEFAULT_THREADS = 4  # more only add barriers at a canvas' small matrix products


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Settings of one engine.

    Attributes:
        model: "embedded", or the folder of a DiffusionGemma checkpoint.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".
        dtype: "auto" (see `choose_precision` and `gpu_format`), "float32", "bfloat16"; on a CPU
            also "int8", on a GPU "fp8" and "int4".
        num_threads: CPU threads for matrix products, at least 1; None chooses.
        max_context_tokens: prompt tokens kept, at least 64; None takes the checkpoint's own.
        kv_cache: "auto" (as activations), or "fp8", which halves the cache where our kernels run.
        max_batch: requests that may run at once, 1 to 64; None chooses.
        kv_slots: prompts whose keys and values are kept for reuse, `max_batch` to 1024; None
            chooses. Memory is taken only as they come.
    """

    model: str = EMBEDDED
    device: str = "auto"
    dtype: str = "auto"
    num_threads: int | None = None
    max_context_tokens: int | None = None
    kv_cache: str = "auto"
    max_batch: int | None = None
    kv_slots: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigError: names the setting, its value and what is allowed.
        """
        if self.device not in _DEVICES and not re.fullmatch(r"cuda:\d+", self.device):
            raise ConfigError(f"device is {self.device!r}; allowed are auto, cpu, cuda, cuda:N.")
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype is {self.dtype!r}; allowed are {', '.join(DTYPES)}.")
        if self.kv_cache not in KV_CACHES:
            raise ConfigError(f"kv_cache is {self.kv_cache!r}; allowed are {', '.join(KV_CACHES)}.")
        if self.num_threads is not None and self.num_threads < 1:
            raise ConfigError(f"num_threads is {self.num_threads}; it must be at least 1.")
        if self.max_batch is not None and not 1 <= self.max_batch <= MAX_BATCH_LIMIT:
            raise ConfigError(f"max_batch is {self.max_batch}; allowed is 1 to {MAX_BATCH_LIMIT}.")
        least_slots = self.chosen_max_batch()
        if self.kv_slots is not None and not least_slots <= self.kv_slots <= _MAX_KV_SLOTS:
            raise ConfigError(
                f"kv_slots is {self.kv_slots}; allowed is {least_slots} (max_batch: every request "
                f"that runs needs one) to {_MAX_KV_SLOTS}."
            )
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

    def precision(self) -> Precision:
        """The numbers to compute in.

        Raises:
            ConfigError: the device or the checkpoint and the dtype do not go together.
            CheckpointError: files are missing or damaged.
            OutOfMemory: a GPU cannot hold the model; says what to do.
        """
        on_gpu = self.gpu_format()
        if on_gpu is not None:
            return on_gpu.precision
        return choose_precision(self.dtype, self.torch_device(), stores_int8(self.folder))

    def gpu_format(self) -> GpuFormat | None:
        """What `precision` is on a GPU, and what else the choice knew; None on a CPU.

        Raises:
            InfillError: as `precision`.
        """
        device = self.torch_device()
        if device.type == "cpu":
            return None
        context_tokens = self.max_context_tokens
        if context_tokens is None:
            context_tokens = read_generation_config(self.folder).max_context_tokens
        return choose_gpu_format(
            self.dtype,
            device,
            self.folder,
            context_tokens,
            available_bytes(device),
            kernels_run(device),
        )

    def chosen_num_threads(self) -> int:
        """CPU threads to use; by default one for every two logical CPUs, at most four.

        Two logical CPUs often share one core's arithmetic: on two of them a step of the embedded
        model took 30 ms with one thread and 34 ms with two.
        """
        if self.num_threads is not None:
            return self.num_threads
        return max(1, min((os.cpu_count() or 1) // 2, _MAX_DEFAULT_THREADS))

    def chosen_max_batch(self) -> int:
        """Requests that may run at once."""
        return self.max_batch if self.max_batch is not None else _DEFAULT_MAX_BATCH

    def chosen_kv_slots(self, num_slot_bytes: int) -> int:
        """Prompts to keep, where the keys and values of one take so many bytes."""
        if self.kv_slots is not None:
            return self.kv_slots
        return max(self.chosen_max_batch(), _DEFAULT_SLOTS_BYTES // num_slot_bytes)
