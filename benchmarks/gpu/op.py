"""What a benchmarked operation is: a kernel, its reference, random inputs and what they cost.

Knows no particular operation; the table of them is `ops`.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from infill_kernels.moe_weights import ExpertMatrices, unpack
from torch import Tensor

from infill_engine.model.config import ModelConfig

Function = Callable[..., Any]
Arguments = tuple[Any, ...]


@dataclass
class Draw:
    """Fresh random inputs of one size.

    Attributes:
        config: the model's sizes.
        num_rows: tokens in the pass.
        num_cached: tokens in the cache.
        device: where tensors go.
        seed: same seed, same numbers.
        dtype: of activations and weights.
    """

    config: ModelConfig
    num_rows: int
    num_cached: int
    device: torch.device
    seed: int
    dtype: torch.dtype = torch.bfloat16
    _generator: torch.Generator = field(init=False)

    def __post_init__(self) -> None:
        """Seed the generator."""
        self._generator = torch.Generator(device=self.device).manual_seed(self.seed)

    def normal(self, *shape: int, std: float = 1.0) -> Tensor:
        """Normal numbers in `dtype`."""
        out = torch.empty(shape, device=self.device, dtype=self.dtype)
        return out.normal_(0, std, generator=self._generator)

    def near_one(self, *shape: int) -> Tensor:
        """Uniform in 0.5 to 1.5, as norms' weights are."""
        out = torch.empty(shape, device=self.device, dtype=self.dtype)
        return out.uniform_(0.5, 1.5, generator=self._generator)

    def full(self, value: float, dtype: torch.dtype) -> Tensor:
        """[1], for what kernels read from the device."""
        return torch.full((1,), value, dtype=dtype, device=self.device)


def _no_weights(draw: Draw) -> Arguments:
    return ()


@dataclass(frozen=True)
class Op:
    """One operation.

    Attributes:
        name: in tables.
        kernel: "module:function" of the Triton one.
        reference: of the plain one, or the function itself; takes the same arguments, unpacked.
        inputs: arguments for both, from a draw and from `weights`.
        flop: operations of one call, from the draw.
        weights: what does not depend on the number of rows; drawn once for all of them.
        rows: rows at which it is timed; None takes the length of a canvas.
        num_cached: cached tokens it is timed with; None takes the main prefix.
        num_bytes: least bytes of one call, from arguments and result; None counts both whole.
        compared: tensors of the result that are compared with the reference's.
    """

    name: str
    kernel: str
    reference: str | Function
    inputs: Callable[[Draw, Arguments], Arguments]
    flop: Callable[[Draw], float]
    weights: Callable[[Draw], Arguments] = _no_weights
    rows: tuple[int, ...] | None = None
    num_bytes: Callable[[Arguments, Any], float] | None = None
    compared: Callable[[Any], list[Tensor]] = lambda out: list(tensors_of(out))
    peers: dict[str, Function] = field(default_factory=dict)

    def find(self, device: torch.device) -> tuple[Function, Function] | None:
        """Kernel and reference, or None where either is not there (yet).

        On a CPU, where no kernel runs, the reference takes the kernel's place.
        """
        reference = find(self.reference) if isinstance(self.reference, str) else self.reference
        if reference is None:
            return None
        if device.type != "cuda":
            return reference, reference
        kernel = find(self.kernel)  # loads Triton
        return None if kernel is None else (kernel, reference)

    def least_bytes(self, arguments: Arguments, out: Any) -> float:
        """Bytes that one call cannot do without."""
        if self.num_bytes is not None:
            return self.num_bytes(arguments, out)
        return bytes_of(arguments) + bytes_of(out)


def find(path: str) -> Function | None:
    """The function at "module:function", None where there is none."""
    module_name, _, name = path.partition(":")
    if importlib.util.find_spec(module_name) is None:
        return None
    return getattr(importlib.import_module(module_name), name, None)


def plain(value: Any, dtype: torch.dtype) -> Any:
    """Arguments as a reference takes them: weights unpacked, bfloat16 as `dtype`.

    Other types stay: the sampler's stored logits, float16, are themselves the input.
    """
    if isinstance(value, ExpertMatrices):
        return unpack(value).to(dtype)
    if isinstance(value, Tensor):
        return value.to(dtype) if value.dtype == torch.bfloat16 else value
    if isinstance(value, tuple):
        parts = [plain(part, dtype) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def tensors_of(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from tensors_of(part)


def bytes_of(value: Any) -> int:
    """Bytes of every different tensor in nested tuples."""
    different = {(t.data_ptr(), t.numel()): t.numel() * t.element_size() for t in tensors_of(value)}
    return sum(different.values())
