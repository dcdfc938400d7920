"""In which numbers a checkpoint fits a GPU, and what to do when it fits in none.

Pure arithmetic: whoever asks brings the free memory. Loads no torch. Knows nothing of how fast a
format is or of what a device can multiply; `gpu_format` asks when a model is loaded.
"""

from dataclasses import dataclass

from infill_engine.api import OutOfMemory
from infill_engine.model.config import ModelConfig
from infill_engine.model.quantization import INT4_GROUP, WeightFormat
from infill_engine.model.sizes import cache_elements_per_token, model_sizes

FORMATS = ("bfloat16", "fp8", "int4")
"""What a float checkpoint can be computed in, the most precise first."""

_BFLOAT16_BYTES = 2
_CACHE_STEP_TOKENS = 256  # the cache grows by as many
_MIN_CONTEXT_TOKENS = 64
# Logits, probabilities and one intermediate in float32, logits and shares in bfloat16, at once.
_BYTES_PER_CANVAS_LOGIT = 16
_MARGIN_BYTES = 268_435_456  # activations of a prefill, and workspaces of matrix products


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """What must be known of a checkpoint.

    Attributes:
        config: its sizes.
        how: how its matrices are quantised; None for floats.
        stored_bytes: of its text tensors; needed when it is quantised, since releases differ in
            what they leave as floats.
    """

    config: ModelConfig
    how: WeightFormat | None = None
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """Attributes:
    name: one of `FORMATS`, or the title of the format that the checkpoint has.
    num_bytes: needed on the device: weights, keys and values, and room to work in.
    reason: why, in one sentence.
    """

    name: str
    num_bytes: int
    reason: str


def choose_format(
    free_vram_bytes: int, facts: CheckpointFacts, context_tokens: int
) -> FormatChoice:
    """Take the most precise format that fits beside `context_tokens` of prompt.

    Args:
        free_vram_bytes: what the device has left.
        facts: of the checkpoint; a quantised one is taken as it is.
        context_tokens: prompt tokens to keep, `max_context_tokens`.

    Raises:
        OutOfMemory: none fits; names the sizes and three ways out.
    """
    too_large = ""
    for name, weight_bytes in _weight_bytes(facts).items():
        num_bytes = weight_bytes + _other_bytes(facts.config, context_tokens)
        if num_bytes <= free_vram_bytes:
            reason = (
                f"{name} is the most precise that fits: {_needs(facts, name, context_tokens)}, "
                f"of {_gb(free_vram_bytes)} free{too_large}."
            )
            return FormatChoice(name, num_bytes, reason)
        too_large = f"; {name} would need {_gb(num_bytes)}"
    name = list(_weight_bytes(facts))[-1]
    raise OutOfMemory(out_of_memory_sentence(free_vram_bytes, facts, context_tokens, name))


def require_format(
    free_vram_bytes: int, facts: CheckpointFacts, context_tokens: int, name: str, why: str
) -> FormatChoice:
    """Take a format that leaves no choice.

    Args:
        free_vram_bytes: what the device has left.
        facts: of the checkpoint.
        context_tokens: prompt tokens to keep.
        name: the format, as `choose_format` names it.
        why: what leaves no choice, such as "dtype asks for it".

    Raises:
        OutOfMemory: it does not fit; names the sizes and three ways out.
    """
    num_bytes = _weight_bytes(facts)[name] + _other_bytes(facts.config, context_tokens)
    if num_bytes > free_vram_bytes:
        raise OutOfMemory(out_of_memory_sentence(free_vram_bytes, facts, context_tokens, name))
    reason = (
        f"{name}, as {why}: {_needs(facts, name, context_tokens)}, of {_gb(free_vram_bytes)} free."
    )
    return FormatChoice(name, num_bytes, reason)


def out_of_memory_sentence(
    free_vram_bytes: int, facts: CheckpointFacts, context_tokens: int, name: str
) -> str:
    """Say what is missing for format `name`, and three ways out.

    Args:
        free_vram_bytes: what the device has left.
        facts: of the checkpoint.
        context_tokens: prompt tokens to keep.
        name: the format that does not fit, as `choose_format` names it.
    """
    config, sizes = facts.config, _weight_bytes(facts)
    other_bytes = _other_bytes(config, context_tokens)
    names = list(sizes)
    smaller = [
        other
        for other in names[names.index(name) + 1 :]
        if sizes[other] + other_bytes <= free_vram_bytes
    ]
    if smaller:
        needed = _gb(sizes[smaller[0]] + other_bytes)
        numbers = (
            f"quantise it with `infill-ls model quantize SOURCE DEST --to {smaller[0]}` ({needed})"
        )
    else:
        numbers = "choose a smaller model (`infill-ls model use embedded`)"
    most = _most_context_tokens(free_vram_bytes - sizes[name], config)
    if most >= context_tokens:  # there was room by this arithmetic, and yet it ran out
        most = context_tokens // 2
    if most >= _MIN_CONTEXT_TOKENS:
        context = f"lower max_context_tokens to {most}"
    else:
        missing = max(0, sizes[name] + other_bytes - free_vram_bytes)
        context = f"end what else uses the GPU's memory ({_gb(missing)} more are needed)"
    return (
        f"The model needs {_needs(facts, name, context_tokens)}, in {name}; "
        f"{_gb(free_vram_bytes)} are free. Three ways out: {numbers}; {context}; or set device to "
        "cpu, which is much slower."
    )


def weight_bytes(config: ModelConfig, name: str) -> int:
    """Memory of a model's weights in one of `FORMATS`, quantised as `model quantize` does it."""
    sizes = model_sizes(config)
    layers = sizes.layers
    rest = _BFLOAT16_BYTES * (sizes.num_parameters - layers.num_parameters)
    if name == "fp8":
        return rest + layers.num_parameters + _BFLOAT16_BYTES * layers.num_rows
    if name == "int4":
        num_scales = layers.num_parameters // INT4_GROUP
        return rest + layers.num_parameters // 2 + _BFLOAT16_BYTES * num_scales
    return rest + _BFLOAT16_BYTES * layers.num_parameters


def _weight_bytes(facts: CheckpointFacts) -> dict[str, int]:
    if facts.how is not None:
        return {facts.how.title: facts.stored_bytes}
    return {name: weight_bytes(facts.config, name) for name in FORMATS}


def _cache_bytes(config: ModelConfig, context_tokens: int) -> int:
    num_tokens = context_tokens + config.canvas_length
    capacity = -(-num_tokens // _CACHE_STEP_TOKENS) * _CACHE_STEP_TOKENS
    return _BFLOAT16_BYTES * capacity * cache_elements_per_token(config)


def _working_bytes(config: ModelConfig) -> int:
    return _BYTES_PER_CANVAS_LOGIT * config.canvas_length * config.vocab_size + _MARGIN_BYTES


def _other_bytes(config: ModelConfig, context_tokens: int) -> int:
    return _cache_bytes(config, context_tokens) + _working_bytes(config)


def _most_context_tokens(free_bytes: int, config: ModelConfig) -> int:
    """Of the cache's steps, as many as `free_bytes` hold beside the room to work in."""
    step_bytes = _BFLOAT16_BYTES * _CACHE_STEP_TOKENS * cache_elements_per_token(config)
    num_steps = (free_bytes - _working_bytes(config)) // step_bytes
    return num_steps * _CACHE_STEP_TOKENS - config.canvas_length


def _needs(facts: CheckpointFacts, name: str, context_tokens: int) -> str:
    config, weights = facts.config, _weight_bytes(facts)[name]
    total = _gb(weights + _other_bytes(config, context_tokens))
    return (
        f"{total} ({_gb(weights)} of weights, {_gb(_cache_bytes(config, context_tokens))} for "
        f"{context_tokens} tokens of context, {_gb(_working_bytes(config))} to work in)"
    )


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB"
