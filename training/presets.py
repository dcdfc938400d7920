"""Sizes and settings of the models this project trains, by name.

Only numbers; what they mean is said where they are used.
"""

from dataclasses import dataclass, field

from infill_engine.model.config import ModelConfig, RopeConfig
from training.objective import ObjectiveConfig

_FULL_ROPE = RopeConfig(theta=1e4, rotated_fraction=0.5, is_proportional=True)


@dataclass(frozen=True, slots=True)
class Preset:
    """One model and how it is trained.

    Attributes:
        model: sizes; `vocab_size` is replaced by the tokenizer's where they differ.
        objective: what counts how much.
        batch_size: examples per step.
        matrix_lr: learning rate of Muon, for matrices.
        embedding_lr: learning rate of Adam for the embedding table.
        scalar_lr: learning rate of Adam for norms, scales and routers.
        dtype: "bfloat16" or "float32", of the working copy of the weights.
        max_context: examples packed for longer contexts are left out; 0 takes all.
        ema_decay: of the averaged weights, per step.
    """

    model: ModelConfig
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    batch_size: int = 16
    matrix_lr: float = 0.02
    embedding_lr: float = 0.004
    scalar_lr: float = 0.003
    dtype: str = "bfloat16"
    max_context: int = 0
    ema_decay: float = 0.98


PRESETS: dict[str, Preset] = {
    # A smoke test: trains on one core in less than a minute.
    "toy": Preset(
        ModelConfig(
            vocab_size=512,
            hidden_size=64,
            num_layers=2,
            num_heads=2,
            num_kv_heads=1,
            head_dim=32,
            num_global_kv_heads=1,
            global_head_dim=32,
            intermediate_size=128,
            num_experts=4,
            num_experts_per_token=2,
            moe_intermediate_size=64,
            sliding_window=128,
            rope_full=_FULL_ROPE,
            canvas_length=16,
            max_position_embeddings=1024,
        ),
        batch_size=8,
        dtype="float32",
    ),
    # What a CPU can train in an hour or two and run in a few milliseconds a step.
    "cpu": Preset(
        ModelConfig(
            vocab_size=16_384,
            hidden_size=256,
            num_layers=4,
            num_heads=4,
            num_kv_heads=2,
            head_dim=64,
            num_global_kv_heads=2,
            global_head_dim=64,
            intermediate_size=512,
            num_experts=8,
            num_experts_per_token=2,
            moe_intermediate_size=256,
            sliding_window=512,
            rope_full=_FULL_ROPE,
            canvas_length=32,
            max_position_embeddings=8192,
        ),
    ),
    # 58 M parameters, 21 M of them active in the layers: for one GPU and 25 minutes.
    "gpu": Preset(
        ModelConfig(
            vocab_size=16_384,
            hidden_size=512,
            num_layers=8,
            num_heads=8,
            num_kv_heads=4,
            head_dim=64,
            num_global_kv_heads=4,
            global_head_dim=64,
            intermediate_size=384,
            num_experts=8,
            num_experts_per_token=2,
            moe_intermediate_size=384,
            sliding_window=1024,
            rope_full=_FULL_ROPE,
            canvas_length=32,
            max_position_embeddings=8192,
        ),
        batch_size=256,
        max_context=1024,
        ema_decay=0.995,
    ),
}
