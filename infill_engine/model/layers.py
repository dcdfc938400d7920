"""The parts of one transformer layer: attention, dense MLP, mixture of experts.

Module and parameter names are those of the official checkpoint. Knows nothing of sampling; how
keys and values are stored and attended to is the cache's business.
"""

import torch
from infill_kernels import (
    branch_inputs,
    finish_layer,
    prepare_heads,
    rms_norm,
    route,
    run_choices,
)
from torch import Tensor, nn
from torch.nn import functional as F

from infill_engine.model.attention_view import KeyValueStore, LayerView
from infill_engine.model.config import ModelConfig


class RMSNorm(nn.Module):
    """`infill_kernels.rms_norm` with its weight."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))

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
        self.eps = eps

    def forward(self, x: Tensor, view: LayerView, store: KeyValueStore) -> Tensor:
        """[B, T, E] to [B, T, E]; hands this pass's keys and values to `store`."""
        heads = (*x.shape[:-1], -1, self.head_dim)
        raw_key = self.k_proj(x).view(heads)
        query, key, value = prepare_heads(
            self.q_proj(x).view(heads),
            raw_key,
            raw_key if self.v_proj is None else self.v_proj(x).view(heads),
            self.q_norm.weight,
            self.k_norm.weight,
            view.cos,
            view.sin,
            self.eps,
        )
        out = store.attend(self.layer_idx, query, key, value, view)
        return self.o_proj(out.flatten(2))


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
        self.num_experts_per_token = config.num_experts_per_token
        self.proj = _linear(config.hidden_size, config.num_experts)
        self.scale = nn.Parameter(torch.ones(config.hidden_size))
        self.per_expert_scale = nn.Parameter(torch.ones(config.num_experts))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, E], normed and scaled, to weights [N, K] float32 and expert indices [N, K]."""
        return route(x, self.proj.weight, self.per_expert_scale, self.num_experts_per_token)


class Experts(nn.Module):
    """All experts' weights, stacked as the checkpoint stores them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        x, i, e = config.num_experts, config.moe_intermediate_size, config.hidden_size
        self.gate_up_proj = nn.Parameter(torch.empty(x, 2 * i, e))
        self.down_proj = nn.Parameter(torch.empty(x, e, i))

    def forward(self, x: Tensor, weights: Tensor, expert_idx: Tensor) -> Tensor:
        """[N, E] to [N, E], or to [N, K, E] where the sum is left to `finish_layer`."""
        return run_choices(x, self.gate_up_proj, self.down_proj, weights, expert_idx)


class Layer(nn.Module):
    """Attention, then a dense MLP and a mixture of experts side by side on the same residual."""

    layer_scalar: Tensor

    def __init__(self, config: ModelConfig, layer_idx: int) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.rms_norm_eps
        self.eps, self.num_experts = eps, config.num_experts
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
        residual, dense_in, sparse_in, router_in = branch_inputs(
            x.flatten(0, 1),
            attended.flatten(0, 1),
            self.post_attention_layernorm.weight,
            self.pre_feedforward_layernorm.weight,
            self.pre_feedforward_layernorm_2.weight,
            self.router.scale,
            self.eps,
        )
        weights, expert_idx = self.router(router_in)
        if view.is_padding is not None:  # it must not make the step read more experts
            expert_idx = expert_idx.masked_fill(view.is_padding[:, None], self.num_experts)
        out = finish_layer(
            self.experts(sparse_in, weights, expert_idx),
            self.mlp(dense_in),
            residual,
            self.post_feedforward_layernorm_1.weight,
            self.post_feedforward_layernorm_2.weight,
            self.post_feedforward_layernorm.weight,
            self.layer_scalar,
            self.eps,
        )
        return out.view_as(x)


class SelfConditioning(nn.Module):
    """Mixes what the last step believed into the canvas embeddings; runs on every decoder pass."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.pre_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.eps = config.rms_norm_eps
        mlp = MLP(config.hidden_size, config.intermediate_size)
        self.gate_proj, self.up_proj, self.down_proj = mlp.gate_proj, mlp.up_proj, mlp.down_proj

    def forward(self, embeddings: Tensor, soft_embeddings: Tensor | None) -> Tensor:
        """Both [B, C, E]; None stands for the first step's zero signal."""
        if soft_embeddings is None:
            return rms_norm(embeddings, None, self.eps)  # every part of the MLP maps zero to zero
        normed = self.pre_norm(soft_embeddings)
        hidden = F.gelu(self.gate_proj(normed), approximate="tanh") * self.up_proj(normed)
        return rms_norm(embeddings + self.down_proj(hidden), None, self.eps)
