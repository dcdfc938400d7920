"""How many numbers a model of given sizes holds, by part, and what its prompt cache takes.

Plain arithmetic on `ModelConfig`, so that a size is known before anything is loaded. Knows nothing
of tensors, devices or files, and loads no torch.
"""

from dataclasses import dataclass

from infill_engine.model.config import ModelConfig


@dataclass(frozen=True, slots=True)
class MatrixSizes:
    """Matrices of one part of the model, all layers together.

    Attributes:
        num_parameters: their elements.
        num_rows: their output rows, which is how many scales they need when a row has one.
    """

    num_parameters: int
    num_rows: int


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """A model's parts; the encoder's copies count nothing.

    Attributes:
        layers: attention, dense MLP and experts: what is quantised everywhere.
        embedding: the tied table.
        self_conditioning: the MLP of the canvas' self-conditioning.
        router: choices of experts, never quantised.
        num_small: norms, scales and scalars.
    """

    layers: MatrixSizes
    embedding: MatrixSizes
    self_conditioning: MatrixSizes
    router: MatrixSizes
    num_small: int

    @property
    def num_parameters(self) -> int:
        """Of the whole model."""
        parts = (self.layers, self.embedding, self.self_conditioning, self.router)
        return sum(part.num_parameters for part in parts) + self.num_small


def model_sizes(config: ModelConfig) -> ModelSizes:
    """Count what a model of `config` holds."""
    hidden, inner, experts = config.hidden_size, config.intermediate_size, config.num_experts
    expert_inner, num_layers = config.moe_intermediate_size, config.num_layers
    mlp_parameters, mlp_rows = 3 * hidden * inner, 2 * inner + hidden
    num_parameters, num_rows = num_layers * mlp_parameters, num_layers * mlp_rows
    num_parameters += num_layers * experts * 3 * hidden * expert_inner
    num_rows += num_layers * experts * (2 * expert_inner + hidden)
    num_small = 2 * hidden  # the last norm and that of self-conditioning
    for layer_idx in range(num_layers):
        head_dim = config.layer_head_dim(layer_idx)
        query = config.num_heads * head_dim
        key = config.layer_num_kv_heads(layer_idx) * head_dim
        key_value = 2 * key if config.is_sliding(layer_idx) else key
        num_parameters += hidden * (2 * query + key_value)
        num_rows += query + key_value + hidden
        # Seven norms and the router's scale, its scales per expert, two head norms, the scalar.
        num_small += 8 * hidden + experts + 2 * head_dim + 1
    return ModelSizes(
        layers=MatrixSizes(num_parameters, num_rows),
        embedding=MatrixSizes(config.vocab_size * hidden, config.vocab_size),
        self_conditioning=MatrixSizes(mlp_parameters, mlp_rows),
        router=MatrixSizes(num_layers * experts * hidden, num_layers * experts),
        num_small=num_small,
    )


def cache_elements_per_token(config: ModelConfig) -> int:
    """Keys and values kept for one token; sliding layers keep theirs too (see `kv_cache`)."""
    return sum(
        2 * config.layer_num_kv_heads(layer_idx) * config.layer_head_dim(layer_idx)
        for layer_idx in range(config.num_layers)
    )
