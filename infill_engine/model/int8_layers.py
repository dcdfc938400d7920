"""The matrix layers with int8 weights, which take the place of the float ones in a built model.

Buffers bear the names the checkpoint stores: `weight` and `weight_scale`. Activations stay
float32. For inference on a CPU only; knows nothing of files.
"""

import torch
from infill_kernels import Int8Rows, int8_linear, int8_mixture, run_int8_experts
from torch import Tensor, nn

from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.model.layers import Embedding, Experts, Router


class Int8Linear(nn.Module):
    """A linear layer without bias."""

    weight: Tensor
    weight_scale: Tensor

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        _register(self, "weight", num_out, num_in)

    def forward(self, x: Tensor) -> Tensor:
        """[..., K] to [..., N]."""
        return int8_linear(x, Int8Rows(self.weight, self.weight_scale))


class Int8Experts(nn.Module):
    """All experts' weights, stacked."""

    gate_up_proj: Tensor
    gate_up_proj_scale: Tensor
    down_proj: Tensor
    down_proj_scale: Tensor

    def __init__(self, num_experts: int, inner: int, size: int) -> None:
        super().__init__()
        _register(self, "gate_up_proj", num_experts, 2 * inner, size)
        _register(self, "down_proj", num_experts, size, inner)

    def forward(self, x: Tensor, weights: Tensor, expert_idx: Tensor) -> Tensor:
        """[N, E] to [N, E]."""
        gate_up = Int8Rows(self.gate_up_proj, self.gate_up_proj_scale)
        down = Int8Rows(self.down_proj, self.down_proj_scale)
        return run_int8_experts(x, gate_up, down, weights, expert_idx)


class Int8Embedding(nn.Module):
    """The tied table: rows for tokens, scores for the head, mixtures for self-conditioning."""

    weight: Tensor
    weight_scale: Tensor

    def __init__(self, num_rows: int, size: int) -> None:
        super().__init__()
        _register(self, "weight", num_rows, size)

    def forward(self, token_ids: Tensor) -> Tensor:
        """[...] int64 to [..., E]."""
        flat = token_ids.flatten()
        rows = self.weight.index_select(0, flat) * self.weight_scale[flat].unsqueeze(-1)
        return rows.view(*token_ids.shape, -1)

    def scores(self, hidden: Tensor) -> Tensor:
        """Product with every row: [..., E] to [..., V]."""
        return int8_linear(hidden, Int8Rows(self.weight, self.weight_scale))

    def mixture(self, shares: Tensor) -> Tensor:
        """Mean row under each distribution: [..., V] to [..., E]."""
        table = Int8Rows(self.weight, self.weight_scale)
        return int8_mixture(shares.flatten(0, -2), table).view(*shares.shape[:-1], -1)


def use_int8_layers(model: DiffusionGemma) -> None:
    """Replace every matrix layer of `model` but the routers, whose choices flip easily.

    The new buffers hold nothing yet. Modifies the model.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Embedding):
                setattr(parent, name, Int8Embedding(child.num_embeddings, child.embedding_dim))
            elif isinstance(child, Experts):
                num_experts, size, inner = child.down_proj.shape
                setattr(parent, name, Int8Experts(num_experts, inner, size))
            elif isinstance(child, nn.Linear) and not isinstance(parent, Router):
                setattr(parent, name, Int8Linear(child.in_features, child.out_features))


def _register(module: nn.Module, name: str, *shape: int) -> None:
    module.register_buffer(name, torch.empty(shape, dtype=torch.int8))
    module.register_buffer(f"{name}_scale", torch.empty(shape[:-1]))
