"""The matrix layers with packed weights, which take the place of the float ones in a built model.

For GPUs: weights stay as small in memory as they are stored, and the kernels unpack them on the
way to the tensor cores. Where these do not run, the references unpack at every call. Routers, the
embedding and norms stay floats. For inference only; knows nothing of files.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from infill_kernels.backend import uses_triton
from infill_kernels.moe_weights import ExpertMatrices, WeightFormat, empty
from infill_kernels.packed_linear import packed_linear, packed_mlp
from infill_kernels.packed_moe import run_packed_choices
from torch import Tensor, nn

from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.model.layers import MLP, Experts, Router


class PackedForm(NamedTuple):
    """How a matrix is packed."""

    format: WeightFormat
    group: int | None  # columns that share a scale; None for one a row


class PackedMatrices(nn.Module):
    """A stack of packed matrices [X, R, C], unset until they are filled in."""

    values: Tensor
    scales: Tensor

    def __init__(self, shape: tuple[int, int, int], form: PackedForm) -> None:
        super().__init__()
        self._shape, self.form = shape, form
        room = empty(shape, *form)
        self._meaning = room[2:]
        self.register_buffer("values", room.values)
        self.register_buffer("scales", room.scales)

    @property
    def matrices(self) -> ExpertMatrices:
        """As the kernels take them."""
        return ExpertMatrices(self.values, self.scales, *self._meaning)

    @property
    def num_parameters(self) -> int:
        """Weights, however many of them share a word."""
        num_matrices, num_rows, num_columns = self._shape
        return num_matrices * num_rows * num_columns

    def allocate(self, device: torch.device) -> None:
        """Reserve memory on a device; what it holds is not set."""
        self.values = torch.empty_like(self.values, device=device)
        self.scales = torch.empty_like(self.scales, device=device)


class PackedLinear(PackedMatrices):
    """A linear layer without bias."""

    def __init__(self, num_in: int, num_out: int, form: PackedForm) -> None:
        super().__init__((1, num_out, num_in), form)

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] to [..., R]."""
        return packed_linear(x.flatten(0, -2), self.matrices).view(*x.shape[:-1], -1)


class PackedMLP(nn.Module):
    """Gated feed-forward whose gate and up are one product."""

    def __init__(self, hidden_size: int, intermediate_size: int, forms: "PairOfForms") -> None:
        super().__init__()
        self.gate_up_proj = PackedMatrices((1, 2 * intermediate_size, hidden_size), forms.gate_up)
        self.down_proj = PackedMatrices((1, hidden_size, intermediate_size), forms.down)

    def forward(self, x: Tensor) -> Tensor:
        """[..., E] to [..., E]."""
        out = packed_mlp(x.flatten(0, -2), self.gate_up_proj.matrices, self.down_proj.matrices)
        return out.view_as(x)


class PackedExperts(nn.Module):
    """All experts' weights, stacked."""

    def __init__(self, num_experts: int, inner: int, size: int, forms: "PairOfForms") -> None:
        super().__init__()
        self.gate_up_proj = PackedMatrices((num_experts, 2 * inner, size), forms.gate_up)
        self.down_proj = PackedMatrices((num_experts, size, inner), forms.down)

    def forward(self, x: Tensor, weights: Tensor, expert_idx: Tensor) -> Tensor:
        """[N, E] to [N, E], or to [N, K, E] where the sum is left to `finish_layer`."""
        choices = self.choices(x, weights, expert_idx)
        return choices if uses_triton(x, weights) else choices.sum(dim=1)

    def choices(self, x: Tensor, weights: Tensor, expert_idx: Tensor) -> Tensor:
        """[N, E] to [N, K, E]: each row's experts' answers times their weights, not added up."""
        gate_up, down = self.gate_up_proj.matrices, self.down_proj.matrices
        return run_packed_choices(x, gate_up, down, weights, expert_idx)


class PairOfForms(NamedTuple):
    """Of two products that run together, which wants them in one format."""

    gate_up: PackedForm
    down: PackedForm

    @classmethod
    def of(cls, gate_up: PackedForm | None, down: PackedForm | None) -> "PairOfForms | None":
        """Both, if they go together."""
        if gate_up is None or down is None or gate_up.format != down.format:
            return None
        return cls(gate_up, down)


def use_packed_layers(model: DiffusionGemma, forms: Mapping[str, PackedForm]) -> None:
    """Replace the layers whose matrices `forms` names; what they hold is not set.

    Experts are replaced only as a whole and in one format, routers never. Modifies the model.

    Args:
        model: built on the meta device, as nothing of its weights is kept.
        forms: by the name of the float parameter, such as `layers.0.self_attn.q_proj.weight`.
    """
    for name, parent in list(model.named_modules()):
        for leaf, child in list(parent.named_children()):
            path = f"{name}.{leaf}".removeprefix(".")
            packed = _packed(child, path, forms)
            if packed is not None and not isinstance(parent, Router):
                setattr(parent, leaf, packed)


class Slot(NamedTuple):
    """Where a float parameter's matrices belong."""

    matrices: PackedMatrices
    first_row: int


def slot_of(model: DiffusionGemma, name: str) -> Slot | None:
    """Where float parameter `name` belongs in a model with packed layers; None if it is floats."""
    parts = name.removesuffix(".weight").split(".")
    module: nn.Module | None = model
    for part in parts[:-1]:
        module = getattr(module, part)
    if isinstance(module, PackedMLP) and parts[-1] in ("gate_proj", "up_proj"):
        joined = module.gate_up_proj
        return Slot(joined, joined.values.shape[1] // 2 if parts[-1] == "up_proj" else 0)
    found = getattr(module, parts[-1])
    return Slot(found, 0) if isinstance(found, PackedMatrices) else None


def packed_matrices(model: nn.Module) -> list[PackedMatrices]:
    """All packed matrices of a model."""
    return [module for module in model.modules() if isinstance(module, PackedMatrices)]


def _packed(module: nn.Module, path: str, forms: Mapping[str, PackedForm]) -> nn.Module | None:
    """What takes the place of a layer; None leaves it."""
    if isinstance(module, Experts):
        pair = PairOfForms.of(forms.get(f"{path}.gate_up_proj"), forms.get(f"{path}.down_proj"))
        num_experts, size, inner = module.down_proj.shape
        return None if pair is None else PackedExperts(num_experts, inner, size, pair)
    if isinstance(module, MLP):
        gate, up, down = (
            forms.get(f"{path}.{leaf}.weight") for leaf in ("gate_proj", "up_proj", "down_proj")
        )
        pair = PairOfForms.of(gate, down)
        if pair is None or gate != up:
            return None  # its linear layers are looked at one by one
        hidden_size, intermediate_size = module.down_proj.weight.shape
        return PackedMLP(hidden_size, intermediate_size, pair)
    if isinstance(module, nn.Linear) and (form := forms.get(f"{path}.weight")) is not None:
        return PackedLinear(module.in_features, module.out_features, form)
    return None
