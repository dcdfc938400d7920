"""How a checkpoint's matrices are quantised, as read from `quantization_config` in config.json.

Strict: what is not understood is refused, because a misread scale gives noise, not an error.
Which matrices are quantised is told by the tensors themselves, and how activations may be rounded
is a matter of speed; both are read past. Knows nothing of tensors, and loads no torch.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from infill_engine.api import CheckpointError

FormatName = Literal["int8", "fp8", "packed_int", "awq", "nvfp4", "nvfp4_modelopt"]

Packing = Literal["fp8", "int4", "nvfp4"]
"""What matrices can be kept in while they are computed with on a GPU."""

INT8_METHOD = "infill_int8"
"""`quant_method` of the project's own format: int8 with one float32 scale per output row."""

INT4_GROUP = 32
"""Columns that share a scale where this project writes int4."""

SUPPORTED = (
    "plain floats, 'infill_int8', 'compressed-tensors' (fp8 or int8 per channel, packed int4 or "
    "int8, NVFP4), 'awq' (4 bits, version 'gemm') and 'modelopt' (NVFP4)"
)
_ADVICE = "Use the original release, or one quantised in a supported way."
_NVFP4_GROUP = 16

# What may be set: what is read here, and what changes nothing in how stored weights are read.
_KNOWN_SETTINGS = {
    "compressed-tensors": (
        "quant_method format config_groups ignore kv_cache_scheme quantization_status "
        "global_compression_ratio version sparsity_config transform_config run_compressed"
    ),
    "awq": (
        "quant_method bits group_size zero_point version modules_to_not_convert backend do_fuse "
        "modules_to_fuse fuse_max_seq_len exllama_config"
    ),
    "modelopt": (
        "quant_method quant_algo config_groups ignore exclude_modules kv_cache_scheme "
        "kv_cache_quant_algo group_size producer"
    ),
    "weights": (
        "num_bits type symmetric strategy group_size dynamic actorder observer observer_kwargs "
        "scale_dtype zp_dtype"
    ),
}


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """How one quantised matrix [rows, columns] is stored.

    Attributes:
        name: which tensors make it up, and what their numbers mean.
        num_bits: per weight.
        group_size: columns that share a scale; None when a whole row does.
        is_symmetric: whether zero is the middle of the range, so that no zero points are stored.
    """

    name: FormatName
    num_bits: int = 8
    group_size: int | None = None
    is_symmetric: bool = True

    @property
    def title(self) -> str:
        """For sentences."""
        group = "" if self.group_size is None else f" in groups of {self.group_size}"
        names = {"packed_int": f"packed int{self.num_bits}", "nvfp4_modelopt": "nvfp4 of modelopt"}
        return names.get(self.name, self.name) + group


def read_weight_format(config: Mapping[str, Any]) -> WeightFormat | None:
    """Read `quantization_config`; None when there is none: the weights are floats.

    Args:
        config: config.json as a whole.

    Raises:
        CheckpointError: a method or option that cannot be read; names it, and what can.
    """
    raw = config.get("quantization_config")
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise _refused(f"quantization_config is {raw!r}; an object is needed")
    method = raw.get("quant_method")
    if method == INT8_METHOD:
        return WeightFormat("int8")
    if method == "compressed-tensors":
        return _compressed_tensors(raw)
    if method == "awq":
        return _awq(raw)
    if method in ("modelopt", "modelopt_fp4"):
        return _modelopt(raw)
    raise _refused(f"the weights are quantised by {method!r}")


def _compressed_tensors(raw: Mapping[str, Any]) -> WeightFormat:
    _refuse_unknown(raw, "compressed-tensors", "quantization_config")
    if raw.get("transform_config"):
        raise _refused("transform_config is set; rotated weights cannot be read")
    sparsity = raw.get("sparsity_config")
    if sparsity and (not isinstance(sparsity, Mapping) or sparsity.get("format") != "dense"):
        raise _refused("sparsity_config is set; sparse weights cannot be read")
    status = raw.get("quantization_status", "compressed")
    if status != "compressed":
        raise _refused(f"quantization_status is {status!r}; only 'compressed' can be read")
    group = _only_group(raw)
    if group.get("output_activations"):
        raise _refused("output_activations is set; rounded outputs are not supported")
    stored_as = group.get("format") or raw.get("format")
    weights = group.get("weights")
    if not isinstance(weights, Mapping):
        raise _refused("config_groups names no weights")
    _refuse_unknown(weights, "weights", "weights")
    if weights.get("dynamic"):
        raise _refused(f"weights.dynamic is {weights['dynamic']!r}; only false can be read")
    if stored_as in ("float-quantized", "int-quantized", "naive-quantized"):
        return _whole_numbers(weights)
    if stored_as == "pack-quantized":
        return _packed(weights)
    if stored_as == "nvfp4-pack-quantized":
        _expect(weights, type="float", num_bits=4, symmetric=True, group_size=_NVFP4_GROUP)
        return WeightFormat("nvfp4", 4, _NVFP4_GROUP)
    raise _refused(f"format is {stored_as!r}")


def _whole_numbers(weights: Mapping[str, Any]) -> WeightFormat:
    """One number per byte: fp8 or int8."""
    _expect(weights, num_bits=8, symmetric=True, strategy="channel")
    kind = weights.get("type")
    if kind not in ("float", "int"):
        raise _refused(f"weights.type is {kind!r}; 'float' and 'int' can be read")
    return WeightFormat("fp8" if kind == "float" else "int8")


def _packed(weights: Mapping[str, Any]) -> WeightFormat:
    """Several integers per int32."""
    _expect(weights, type="int")
    num_bits, strategy = weights.get("num_bits"), weights.get("strategy")
    if num_bits not in (4, 8):
        raise _refused(f"weights.num_bits is {num_bits!r}; packed, 4 and 8 can be read")
    if strategy not in ("group", "channel"):
        raise _refused(f"weights.strategy is {strategy!r}; 'group' and 'channel' can be read")
    group_size = _group_size(weights.get("group_size")) if strategy == "group" else None
    if strategy == "group" and group_size is None:
        raise _refused("weights.strategy is 'group' without a group_size")
    return WeightFormat("packed_int", num_bits, group_size, _flag(weights, "symmetric", True))


def _awq(raw: Mapping[str, Any]) -> WeightFormat:
    _refuse_unknown(raw, "awq", "quantization_config")
    _expect(raw, bits=4, zero_point=True)
    version = raw.get("version", "gemm")
    if not isinstance(version, str) or version.lower() != "gemm":
        raise _refused(f"version is {version!r}; of AWQ, only 'gemm' can be read")
    return WeightFormat("awq", 4, _group_size(raw.get("group_size")), is_symmetric=False)


def _modelopt(raw: Mapping[str, Any]) -> WeightFormat:
    _refuse_unknown(raw, "modelopt", "quantization_config")
    algorithm = raw.get("quant_algo")
    if algorithm != "NVFP4":
        raise _refused(f"quant_algo is {algorithm!r}; of modelopt, only 'NVFP4' can be read")
    if raw.get("group_size") is not None:
        _expect(raw, group_size=_NVFP4_GROUP)
    if raw.get("config_groups") is not None:
        weights = _only_group(raw).get("weights")
        if not isinstance(weights, Mapping):
            raise _refused("config_groups names no weights")
        _expect(weights, num_bits=4, type="float", group_size=_NVFP4_GROUP)
    return WeightFormat("nvfp4_modelopt", 4, _NVFP4_GROUP)


def _only_group(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    groups = raw.get("config_groups")
    if not isinstance(groups, Mapping) or len(groups) != 1:
        count = len(groups) if isinstance(groups, Mapping) else "no"
        raise _refused(f"config_groups has {count} entries; exactly one can be read")
    (group,) = groups.values()
    if not isinstance(group, Mapping):
        raise _refused(f"config_groups holds {group!r}; an object is needed")
    return group


def _refuse_unknown(raw: Mapping[str, Any], known: str, where: str) -> None:
    allowed: Collection[str] = _KNOWN_SETTINGS[known].split()
    for name, value in raw.items():
        if name not in allowed and value not in (None, [], {}, False):
            raise _refused(f"{where} has {name!r}, which is not known")


def _expect(raw: Mapping[str, Any], **wanted: Any) -> None:
    for name, value in wanted.items():
        got = raw.get(name, True if name == "symmetric" else None)
        if got != value or isinstance(got, bool) != isinstance(value, bool):
            raise _refused(f"{name} is {got!r}; only {value!r} can be read")


def _flag(raw: Mapping[str, Any], name: str, default: bool) -> bool:
    value = raw.get(name, default)
    if not isinstance(value, bool):
        raise _refused(f"{name} is {value!r}; true or false is needed")
    return value


def _group_size(value: Any) -> int | None:
    """Columns per scale; -1 and null stand for whole rows."""
    if value in (None, -1):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _refused(f"group_size is {value!r}; a positive number is needed")
    return value


def _refused(problem: str) -> CheckpointError:
    return CheckpointError(f"config.json: {problem}. What can be loaded: {SUPPORTED}. {_ADVICE}")
