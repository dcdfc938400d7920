"""How large everything is: the published model on a GPU, or a toy that dry-runs on a CPU.

Knows nothing of what is measured.
"""

from dataclasses import dataclass

import torch

from benchmarks.gpu.floors import WeightFormat
from infill_engine.model.config import ModelConfig


@dataclass(frozen=True)
class Scale:
    """Sizes of a whole run.

    Attributes:
        name: "published" or "toy".
        config: the model.
        device: where to run.
        dtype: of the model; single operations always run in bfloat16.
        formats: the weight formats of the own model beside bf16.
        checked_rows: rows at which operations are compared with their references.
        expert_rows: rows at which the mixture of experts is timed.
        prefixes: cached tokens; `main_prefix` is among them.
        main_prefix: cached tokens where nothing else is said.
        step_counts: denoising steps, ascending.
        small_canvases: lengths beside the model's own, the one of a keystroke first.
        batches: canvases at once, beside one.
        num_typed: tokens of one keystroke more.
        num_repeats: timings of one operation.
        num_rounds: times that every runner takes its turn, two canvases each.
        copied_bytes: size of the copy whose bandwidth is measured.
        product_size: rows, columns and depth of the product whose speed is measured.
        cold_bytes: what the copies of an operation's inputs hold together, beyond any L2.
        num_draws: draws of the sampler's test.
        has_compiled_peer: whether transformers is also compiled.
    """

    name: str
    config: ModelConfig
    device: torch.device
    dtype: torch.dtype
    formats: tuple[WeightFormat, ...]
    checked_rows: tuple[int, ...]
    expert_rows: tuple[int, ...]
    prefixes: tuple[int, ...]
    main_prefix: int
    step_counts: tuple[int, ...]
    small_canvases: tuple[int, ...]
    batches: tuple[int, ...]
    num_typed: int
    num_repeats: int
    num_rounds: int
    copied_bytes: int
    product_size: int
    cold_bytes: int
    num_draws: int
    has_compiled_peer: bool

    @property
    def is_toy(self) -> bool:
        """Whether its numbers mean nothing."""
        return self.name == "toy"


def published() -> Scale:
    """google/diffusiongemma-26B-A4B-it on the first GPU."""
    return Scale(
        name="published",
        config=ModelConfig(),
        device=torch.device("cuda"),
        dtype=torch.bfloat16,
        formats=("int4", "fp8"),
        checked_rows=(1, 63, 256),
        expert_rows=(1, 8, 32, 64, 128, 256, 512, 1024, 2048),
        prefixes=(256, 1024, 4096),
        main_prefix=1024,
        step_counts=(8, 16),
        small_canvases=(64, 32),
        batches=(2, 4, 8),
        num_typed=4,
        num_repeats=20,
        num_rounds=10,
        copied_bytes=4 << 30,
        product_size=8192,
        cold_bytes=256 << 20,
        num_draws=64,
        has_compiled_peer=True,
    )


def toy() -> Scale:
    """Two layers on the CPU: shows that the script runs, and measures nothing of interest."""
    config = ModelConfig(
        vocab_size=512,
        hidden_size=64,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=16,
        num_global_kv_heads=1,
        global_head_dim=32,
        intermediate_size=96,
        num_experts=8,
        num_experts_per_token=2,
        moe_intermediate_size=64,
        sliding_window=32,
        layer_types=("sliding_attention", "full_attention"),
        canvas_length=16,
        max_position_embeddings=4096,
    )
    return Scale(
        name="toy",
        config=config,
        device=torch.device("cpu"),
        dtype=torch.float32,
        formats=("int4", "fp8"),
        checked_rows=(1, 7),
        expert_rows=(1, 7),
        prefixes=(8, 24),
        main_prefix=24,
        step_counts=(2, 3),
        small_canvases=(8,),
        batches=(2,),
        num_typed=2,
        num_repeats=2,
        num_rounds=1,
        copied_bytes=1 << 20,
        product_size=64,
        cold_bytes=1 << 16,
        num_draws=64,
        has_compiled_peer=False,
    )
