"""The parts of one transformer layer: attention, dense MLP, mixture of experts.

Module and parameter names are those of the official checkpoint. Knows nothing of sampling; how
keys and values are stored is the cache's business.
"""

from typing import NamedTuple, Protocol

import torch
from infill_kernels import attend, rms_norm, rotate, route, run_experts
from torch import Tensor, nn
from torch.nn import functional as F

from infill_engine.model.config import ModelConfig


class KeyValueStore(Protocol):
    """Where attention puts this pass's keys and values, and gets all it may look at."""

    def join(self, layer_idx: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return stored keys and values followed by the new ones, [B, G, S + T, D] each."""
        ...


class LayerView(NamedTuple):
    """What every layer of one type shares in one forward pass."""

    cos: Tensor  # [B or 1, T, 1, D/2]
    sin: Tensor  # [B or 1, T, 1, D/2]
    mask: Tensor | None  # bool, broadcastable to [B, 1, T, S]; None sees all
    first_key: int  # keys before this index are outside the window of every query


class RMSNorm(nn.Module):
    """`infill_kernels.rms_norm` with its weight, or none."""

    def __init__(self, size: int, eps: float, has_weight: bool = True) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size)) if has_weight else None

    def forward(self, x: Tensor) -> Tensor:
        """[..., E] to [..., E]."""
        return rms_norm(x, self.weight, self.eps)


class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Leave the weights unset, as whoever builds a model fills them all.

        Drawing initial values on the meta device imports torch's compiler: 1.5 s of every start.
        """


class Embedding(nn.Embedding):
    """The tied table, without initial values for the same reason as the linear layers."""

    def reset_parameters(self) -> None:
        """Leave the table unset."""

    def scores(self, hidden: Tensor) -> Tensor:
        """Product with every row, the head: [..., E] to [..., V]."""
        return F.linear(hidden, self.weight)

    def mixture(self, shares: Tensor) -> Tensor:
        """Mean row under each distribution: [..., V] to [..., E]."""
        return shares.to(self.weight.dtype) @ self.weight


def _linear(num_in: int, num_out: int) -> nn.Linear:
    return _Linear(num_in, num_out, bias=False)


class Attention(nn.Module):
    """Grouped-query attention; in full layers the values are the raw key projection."""

    def __init__(self, config: ModelConfig, layer_idx: int) -> None:
        super().__init__()
        self.layer_idx = layer_idx
        self.head_dim = config.layer_head_dim(layer_idx)
        num_kv_heads = config.layer_num_kv_heads(layer_idx)
        eps = config.rms_norm_eps
        self.q_proj = _linear(config.hidden_size, config.num_heads * self.head_dim)
        self.k_proj = _linear(config.hidden_size, num_kv_heads * self.head_dim)
        self.v_proj = (
            _linear(config.hidden_size, num_kv_heads * self.head_dim)
            if config.is_sliding(layer_idx)
            else None
        )
        self.o_proj = _linear(config.num_heads * self.head_dim, config.hidden_size)
        self.q_norm = RMSNorm(self.head_dim, eps)
        self.k_norm = RMSNorm(self.head_dim, eps)
        self.v_norm = RMSNorm(self.head_dim, eps, has_weight=False)

    def forward(self, x: Tensor, view: LayerView, store: KeyValueStore) -> Tensor:
        """[B, T, E] to [B, T, E]; hands this pass's keys and values to `store`."""
        heads = (*x.shape[:-1], -1, self.head_dim)
        query = rotate(self.q_norm(self.q_proj(x).view(heads)), view.cos, view.sin)
        raw_key = self.k_proj(x).view(heads)
        raw_value = raw_key if self.v_proj is None else self.v_proj(x).view(heads)
        key = rotate(self.k_norm(raw_key), view.cos, view.sin).transpose(1, 2)
        value = self.v_norm(raw_value).transpose(1, 2)
        key, value = store.join(self.layer_idx, key, value)
        out = attend(
            query.transpose(1, 2),
            key[:, :, view.first_key :],
            value[:, :, view.first_key :],
            view.mask,
        )
        return self.o_proj(out.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Gated feed-forward: down(gelu_tanh(gate(x)) * up(x))."""

    def __init__(self, hidden_size: int, intermediate_size: int) -> None:
        super().__init__()
        self.gate_proj = _linear(hidden_size, intermediate_size)
        self.up_proj = _linear(hidden_size, intermediate_size)
        self.down_proj = _linear(intermediate_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """[..., E] to [..., E]."""
        return self.down_proj(F.gelu(self.gate_proj(x), approximate="tanh") * self.up_proj(x))


class Router(nn.Module):
    """Chooses experts from the raw residual, normalised without a weight of its own."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.eps = config.rms_norm_eps
        self.num_experts_per_token = config.num_experts_per_token
        self.proj = _linear(config.hidden_size, config.num_experts)
        self.scale = nn.Parameter(torch.ones(config.hidden_size))
        self.per_expert_scale = nn.Parameter(torch.ones(config.num_experts))

    def forward(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """[N, E] to weights [N, K] float32 and expert indices [N, K]."""
        x = rms_norm(residual, None, self.eps) * self.scale * residual.shape[-1] ** -0.5
        return route(x, self.proj.weight, self.per_expert_scale, self.num_experts_per_token)


class Experts(nn.Module):
    """All experts' weights, stacked as the checkpoint stores them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        x, i, e = config.num_experts, config.moe_intermediate_size, config.hidden_size
        self.gate_up_proj = nn.Parameter(torch.empty(x, 2 * i, e))
        self.down_proj = nn.Parameter(torch.empty(x, e, i))

    def forward(self, x: Tensor, weights: Tensor, expert_idx: Tensor) -> Tensor:
        """[N, E] to [N, E]."""
        return run_experts(x, self.gate_up_proj, self.down_proj, weights, expert_idx)


class Layer(nn.Module):
    """Attention, then a dense MLP and a mixture of experts side by side on the same residual."""

    layer_scalar: Tensor

    def __init__(self, config: ModelConfig, layer_idx: int) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.rms_norm_eps
        self.self_attn = Attention(config, layer_idx)
        self.mlp = MLP(size, config.intermediate_size)
        self.router = Router(config)
        self.experts = Experts(config)
        self.input_layernorm = RMSNorm(size, eps)
        self.post_attention_layernorm = RMSNorm(size, eps)
        self.pre_feedforward_layernorm = RMSNorm(size, eps)
        self.post_feedforward_layernorm_1 = RMSNorm(size, eps)
        self.pre_feedforward_layernorm_2 = RMSNorm(size, eps)
        self.post_feedforward_layernorm_2 = RMSNorm(size, eps)
        self.post_feedforward_layernorm = RMSNorm(size, eps)
        self.register_buffer("layer_scalar", torch.ones(1))

    def forward(self, x: Tensor, view: LayerView, store: KeyValueStore) -> Tensor:
        """[B, T, E] to [B, T, E]."""
        attended = self.self_attn(self.input_layernorm(x), view, store)
        x = x + self.post_attention_layernorm(attended)
        dense = self.post_feedforward_layernorm_1(self.mlp(self.pre_feedforward_layernorm(x)))
        rows = x.flatten(0, 1)
        # The router reads the raw residual; fed a normed one, the published model won't converge.
        weights, expert_idx = self.router(rows)
        sparse = self.experts(self.pre_feedforward_layernorm_2(rows), weights, expert_idx)
        sparse = self.post_feedforward_layernorm_2(sparse.view_as(x))
        x = x + self.post_feedforward_layernorm(dense + sparse)
        return x * self.layer_scalar


class SelfConditioning(nn.Module):
    """Mixes what the last step believed into the canvas embeddings; runs on every decoder pass."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.pre_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_norm = RMSNorm(config.hidden_size, config.rms_norm_eps, has_weight=False)
        mlp = MLP(config.hidden_size, config.intermediate_size)
        self.gate_proj, self.up_proj, self.down_proj = mlp.gate_proj, mlp.up_proj, mlp.down_proj

    def forward(self, embeddings: Tensor, soft_embeddings: Tensor | None) -> Tensor:
        """Both [B, C, E]; None stands for the first step's zero signal."""
        if soft_embeddings is None:
            return self.post_norm(embeddings)  # every part of the MLP maps zero to zero
        normed = self.pre_norm(soft_embeddings)
        hidden = F.gelu(self.gate_proj(normed), approximate="tanh") * self.up_proj(normed)
        return self.post_norm(embeddings + self.down_proj(hidden))
