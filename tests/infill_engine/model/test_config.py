"""Sizes are read from published configs and from those that transformers saves; others refused."""

from typing import Any

import pytest

from infill_engine.api import CheckpointError
from infill_engine.model.config import ModelConfig

PUBLISHED: dict[str, Any] = ModelConfig().to_dict()


def read(**changes: Any) -> ModelConfig:
    text = {**PUBLISHED["text_config"], **changes}
    return ModelConfig.from_dict({**PUBLISHED, "text_config": text})


def test_published_config_gives_the_defaults() -> None:
    assert read() == ModelConfig()
    # The published file does not name these two; transformers fills in the same.
    assert read(layer_types=None, rope_parameters=None) == ModelConfig()


def saved_by_transformers(per_layer: dict[str, Any]) -> ModelConfig:
    return read(global_head_dim=None, num_global_key_value_heads=None, per_layer_config=per_layer)


def test_full_layers_differ_only_where_transformers_says_so() -> None:
    both = saved_by_transformers({"5": {"head_dim": 512, "num_key_value_heads": 2}})
    assert both == ModelConfig()
    size_only = saved_by_transformers({"5": {"head_dim": 512}})
    assert (size_only.global_head_dim, size_only.num_global_kv_heads) == (512, 8)
    heads_only = saved_by_transformers({"5": {"num_key_value_heads": 2}})
    assert (heads_only.global_head_dim, heads_only.num_global_kv_heads) == (256, 2)
    neither = saved_by_transformers({})
    assert (neither.global_head_dim, neither.num_global_kv_heads) == (256, 8)


def test_last_layer_is_always_full() -> None:
    config = read(num_hidden_layers=2, layer_types=["full_attention", "sliding_attention"])
    assert config.layer_types == ("full_attention", "full_attention")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"hidden_size": None}, "wrong type"),
        ({"hidden_size": 10**30}, "it must be positive and below"),
        ({"rope_parameters": [1]}, "wrong type"),
        ({"rope_parameters": {"full_attention": 3}}, "wrong type"),
        ({"global_head_dim": None, "per_layer_config": [1]}, "wrong type"),
        ({"num_key_value_heads": 3}, "cannot share 3 key-value heads"),
        ({"top_k_experts": 129}, "only 128 experts"),
        ({"layer_types": ["full_attention"]}, "1 entries for 30 layers"),
        ({"attention_bias": True}, "attention_bias"),
        ({"hidden_activation": "silu"}, "'silu'"),
        ({"use_bidirectional_attention": "all"}, "'all'"),
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, "'yarn'"),
        (
            {
                "rope_parameters": {
                    "full_attention": {"rope_theta": 1, "partial_rotary_factor": 0.5}
                }
            },
            "partial_rotary_factor is 0.5",
        ),
    ],
    ids=str,
)
def test_refuses_what_it_cannot_run(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        read(**changes)
    assert expected in str(caught.value)


def test_names_a_missing_field() -> None:
    text = {k: v for k, v in PUBLISHED["text_config"].items() if k != "num_experts"}
    with pytest.raises(CheckpointError, match="lacks 'num_experts'"):
        ModelConfig.from_dict({"text_config": text})
    with pytest.raises(CheckpointError, match="not a DiffusionGemma checkpoint"):
        ModelConfig.from_dict({})
