"""DiffusionGemma's text stack: one set of weights, used as causal encoder and canvas decoder.

`prefill` reads the prompt causally and leaves its keys and values in a cache; `denoise` reads a
canvas in both directions over [cache; canvas] and stores nothing. Knows nothing of tokens' text,
of sampling or of how the cache is managed.
"""

from typing import Protocol

import torch
from infill_kernels import rotary_frequencies
from torch import Tensor, nn

from infill_engine.model.attention_view import KeyValueStore, LayerView
from infill_engine.model.config import LayerType, ModelConfig
from infill_engine.model.layers import Embedding, Layer, RMSNorm, SelfConditioning


class ReadCache(Protocol):
    """Keys and values that a canvas is read over."""

    def positions(self, num_new: int, device: torch.device) -> Tensor:
        """[1, num_new] int64 positions behind the stored tokens."""
        ...

    def reading(self) -> KeyValueStore:
        """A store that only lends its contents to a canvas."""
        ...


class WriteCache(Protocol):
    """Keys and values that a prefill is read over and joins."""

    def positions(self, num_new: int, device: torch.device) -> Tensor:
        """[1, num_new] int64 positions behind the stored tokens."""
        ...

    def appending(self) -> KeyValueStore:
        """A store that keeps what a prefill computes."""
        ...


class PromptCache(ReadCache, WriteCache, Protocol):
    """Keys and values of the prompt; `infill_engine.kv_cache` and the trainer each have one."""

    @property
    def num_tokens(self) -> int:
        """Prompt tokens stored, the same for every row."""
        ...

    def commit(self, num_new_tokens: int) -> None:
        """Count the tokens that every layer has just appended."""
        ...


class DiffusionGemma(nn.Module):
    """The stack without its task: hidden states from tokens, logits from hidden states."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.num_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_conditioning = SelfConditioning(config)
        self._frequencies: dict[LayerType, Tensor] = {}
        self._scales: dict[torch.dtype, float] = {}

    @property
    def dtype(self) -> torch.dtype:
        """Of the activations, keys and values; the weights' too unless they are int8."""
        return self.norm.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.norm.weight.device

    @property
    def embedding_scale(self) -> float:
        """What table rows are multiplied by."""
        # The reference rounds sqrt(E) to the weights' dtype: in bfloat16 55.4256 becomes 55.5.
        if self.dtype not in self._scales:
            scale = torch.tensor(self.config.hidden_size**0.5, dtype=self.dtype, device="cpu")
            self._scales[self.dtype] = float(scale)
        return self._scales[self.dtype]

    def weights(self) -> list[Tensor]:
        """All learned tensors; int8 matrices without their scales."""
        int8 = [buffer for buffer in self.buffers() if buffer.dtype == torch.int8]
        return [*self.parameters(), *int8]

    def prefill(self, token_ids: Tensor, cache: PromptCache) -> Tensor:
        """Read prompt tokens causally behind what `cache` holds, and append them to it.

        Args:
            token_ids: [B, T] int64, T >= 1. Rows may be right-padded: no token sees a later one.
            cache: modified; holds T more tokens afterwards.

        Returns:
            [B, T, E] normed hidden states, of use to a next-token loss.
        """
        hidden = self.encode(token_ids, cache)
        cache.commit(token_ids.shape[1])
        return hidden

    def encode(self, token_ids: Tensor, cache: WriteCache, num_new: Tensor | None = None) -> Tensor:
        """As `prefill`, without counting the new tokens.

        Args:
            token_ids: [B, T] int64, T >= 1.
            cache: modified.
            num_new: [1] int32 tokens that are no padding, for a fixed T; None says all are.
        """
        positions = cache.positions(token_ids.shape[1], token_ids.device)
        views = self._views(positions, is_causal=True, num_new=num_new)
        return self._run(self.embed(token_ids), views, cache.appending())

    def denoise(
        self,
        canvas_ids: Tensor,
        cache: ReadCache,
        soft_embeddings: Tensor | None = None,
        prompt_lengths: Tensor | None = None,
        num_new: Tensor | None = None,
    ) -> Tensor:
        """Read a canvas in both directions over [cache; canvas]; modifies nothing.

        Args:
            canvas_ids: [B, C] int64.
            cache: prompt keys and values, of B rows; a `KVCache`, which has one, serves any B.
            soft_embeddings: [B, C, E] self-conditioning signal, None on a canvas' first step.
            prompt_lengths: [B] int64 tokens of each row when the cache is right-padded;
                None when every row fills it.
            num_new: [1] int32 positions of each row that are no padding; None says all are.

        Returns:
            [B, C, E] normed hidden states; pass those wanted to `logits`.
        """
        num_canvas = canvas_ids.shape[1]
        if prompt_lengths is None:
            positions = cache.positions(num_canvas, canvas_ids.device)
        else:
            positions = prompt_lengths[:, None] + torch.arange(num_canvas, device=self.device)
        views = self._views(positions, False, prompt_lengths, num_new)
        embeddings = self.self_conditioning(self.embed(canvas_ids), soft_embeddings)
        return self._run(embeddings, views, cache.reading())

    def embed(self, token_ids: Tensor) -> Tensor:
        """[...] int64 to [..., E]: table rows scaled by sqrt(E), rounded as the weights are."""
        return self.embed_tokens(token_ids) * self.embedding_scale

    def soft_embed(self, probabilities: Tensor) -> Tensor:
        """Mean embedding under each position's distribution: [B, C, V] to [B, C, E]."""
        return self.embed_tokens.mixture(probabilities) * self.embedding_scale

    def logits(self, hidden: Tensor) -> Tensor:
        """Softcapped tied head: [..., E] to [..., V] float32, within +-softcap."""
        raw = self.embed_tokens.scores(hidden).float()
        return self.config.logit_softcap * torch.tanh(raw / self.config.logit_softcap)

    def _run(
        self, hidden: Tensor, views: dict[LayerType, LayerView], store: KeyValueStore
    ) -> Tensor:
        for layer, layer_type in zip(self.layers, self.config.layer_types, strict=True):
            hidden = layer(hidden, views[layer_type], store)
        return self.norm(hidden)

    def _views(
        self,
        positions: Tensor,
        is_causal: bool,
        prompt_lengths: Tensor | None = None,
        num_new: Tensor | None = None,
    ) -> dict[LayerType, LayerView]:
        """What layers of each type share in a pass over tokens at [B or 1, T] positions."""
        is_padding = None
        if num_new is not None:
            is_padding = torch.arange(positions.shape[1], device=positions.device) >= num_new
        return {
            layer_type: LayerView(
                *self._rotation(layer_type, positions),
                is_causal,
                self._window(layer_type),
                prompt_lengths,
                num_new,
                is_padding,
            )
            for layer_type in set(self.config.layer_types)
        }

    def _window(self, layer_type: LayerType) -> int | None:
        return self.config.sliding_window if layer_type == "sliding_attention" else None

    def _rotation(self, layer_type: LayerType, positions: Tensor) -> tuple[Tensor, Tensor]:
        frequencies = self._frequencies.get(layer_type)
        if frequencies is None or frequencies.device != positions.device:
            is_sliding = layer_type == "sliding_attention"
            rope = self.config.rope_sliding if is_sliding else self.config.rope_full
            head_dim = self.config.head_dim if is_sliding else self.config.global_head_dim
            frequencies = rotary_frequencies(
                head_dim, rope.theta, rope.rotated_fraction, rope.is_proportional
            ).to(positions.device)
            self._frequencies[layer_type] = frequencies
        angles = (positions[..., None].float() * frequencies).unsqueeze(-2)
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)
