"""What a model's folder holds, read without torch: configuration, sizes, damage.

Checks what can be checked without loading (files there, headers whole, lengths right, sizes that
agree); every tensor's shape is for the engine to compare. Knows nothing of where models come
from.
"""

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import infill_engine
from infill_engine.api import CheckpointError
from infill_engine.model.config import ModelConfig, read_json_object
from infill_engine.model.quantization import read_weight_format
from infill_engine.model.sizes import model_sizes

EMBEDDED = "embedded"
MODEL_TYPE = "diffusion_gemma"
_MAX_HEADER_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model as its folder describes it.

    Attributes:
        folder: where it is.
        num_parameters: numbers stored, or that a quantised model's packed ones stand for.
        weight_bytes: bytes of all weight files.
        num_weight_files: how many there are.
        dtypes: number formats stored, most bytes first ("BF16", "I8").
        quantization: how its matrices are quantised, in words; None for floats.
        num_layers: transformer layers.
        hidden_size: width of the residual stream.
        num_experts: experts per layer.
        canvas_length: tokens denoised at once.
    """

    folder: Path
    num_parameters: int
    weight_bytes: int
    num_weight_files: int
    dtypes: tuple[str, ...]
    quantization: str | None
    num_layers: int | None
    hidden_size: int | None
    num_experts: int | None
    canvas_length: int | None


def folder_of(model: str) -> Path:
    """Return the folder of a model: the embedded one's, or the one named."""
    if model == EMBEDDED:
        return Path(infill_engine.__file__).parent / "embedded"
    return Path(model).expanduser()


def read_model_facts(folder: Path) -> ModelFacts:
    """Read a model's folder.

    Raises:
        CheckpointError: a file is missing, damaged or of another kind of model.
    """
    if not folder.is_dir():
        raise CheckpointError(f"The model folder {folder} does not exist.")
    config = read_json_object(folder / "config.json")
    if config.get("model_type") != MODEL_TYPE:
        raise CheckpointError(
            f"{folder} holds a model of type {config.get('model_type')!r}; "
            f"only {MODEL_TYPE!r} can be run."
        )
    if not (folder / "tokenizer.json").is_file():
        raise CheckpointError(f"{folder} holds no tokenizer.json.")
    bytes_of_dtype: dict[str, int] = {}
    num_parameters = 0
    files = _weight_files(folder)
    for file in files:
        for tensor in _read_header(file).values():
            begin, end = tensor["data_offsets"]
            bytes_of_dtype[tensor["dtype"]] = bytes_of_dtype.get(tensor["dtype"], 0) + end - begin
            num_parameters += prod(tensor["shape"])
    text_config = config.get("text_config", config)
    if not isinstance(text_config, dict):
        raise CheckpointError(
            f"{folder / 'config.json'}: text_config is no object; fetch it again."
        )
    how = read_weight_format(config)
    if how is not None:
        num_parameters = model_sizes(ModelConfig.from_dict(config)).num_parameters
    return ModelFacts(
        folder=folder,
        num_parameters=num_parameters,
        weight_bytes=sum(file.stat().st_size for file in files),
        num_weight_files=len(files),
        dtypes=tuple(sorted(bytes_of_dtype, key=lambda name: -bytes_of_dtype[name])),
        quantization=None if how is None else how.title,
        num_layers=text_config.get("num_hidden_layers"),
        hidden_size=text_config.get("hidden_size"),
        num_experts=text_config.get("num_experts"),
        canvas_length=config.get("canvas_length"),
    )


def check_fit(folder: Path) -> None:
    """Compare a model's parts with each other, as far as that goes without loading it.

    Raises:
        CheckpointError: its configuration, tokenizer or weights do not fit together.
    """
    # Imported late: reading a large vocabulary takes a second that only `model use` can spare.
    from infill_engine.model.config import read_model_config
    from infill_engine.tokenizer import Tokenizer

    config, _ = read_model_config(folder)
    num_ids = Tokenizer.from_folder(folder).vocab_size
    if num_ids > config.vocab_size:
        raise CheckpointError(
            f"{folder / 'tokenizer.json'} has {num_ids} tokens; config.json allows "
            f"{config.vocab_size}. Fetch both from the same release."
        )
    tensors: dict[str, Any] = {}
    for file in _weight_files(folder):
        tensors |= _read_header(file)
    rows = "model.decoder.embed_tokens.weight"
    last = f"model.decoder.layers.{config.num_layers - 1}.layer_scalar"
    beyond = f"model.decoder.layers.{config.num_layers}.layer_scalar"
    shape = tensors.get(rows, {}).get("shape")
    if shape != [config.vocab_size, config.hidden_size]:
        raise CheckpointError(
            f"{folder}: {rows} has shape {shape}; config.json asks for "
            f"{[config.vocab_size, config.hidden_size]}. Fetch both from the same release."
        )
    if last not in tensors or beyond in tensors:
        raise CheckpointError(
            f"{folder}: config.json asks for {config.num_layers} layers, which the weights do not "
            "have. Fetch both from the same release."
        )


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise CheckpointError(f"{folder} holds no weights (*.safetensors).")
        return files
    weight_map = read_json_object(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise CheckpointError(f"{index} has no weight_map; fetch that file again.")
    files = [folder / str(name) for name in sorted(set(weight_map.values()))]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise CheckpointError(f"{folder} lacks {', '.join(missing)}; fetch them again.")
    return files


def _read_header(path: Path) -> dict[str, Any]:
    # Layout: 8 bytes little-endian header length, the header as JSON, the tensors' bytes.
    try:
        num_bytes = path.stat().st_size
        with path.open("rb") as file:
            header_bytes = int.from_bytes(file.read(8), "little")
            if not 2 <= header_bytes <= min(num_bytes, _MAX_HEADER_BYTES):
                raise ValueError
            header = json.loads(file.read(header_bytes))
        header.pop("__metadata__", None)
        data_bytes = max(map(_checked_end, header.values()), default=0)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(
            f"{path} is damaged: its header cannot be read. Fetch it again."
        ) from None
    expected_bytes = 8 + header_bytes + data_bytes
    if num_bytes != expected_bytes:
        raise CheckpointError(
            f"{path} is damaged: it has {num_bytes} bytes and should have {expected_bytes}. "
            "Fetch it again."
        )
    return header


def _checked_end(tensor: dict[str, Any]) -> int:
    """Return where a tensor's bytes end; raises ValueError when its entry is not of its form."""
    begin, end = tensor["data_offsets"]
    numbers = [begin, end, *tensor["shape"]]
    if not (all(type(number) is int for number in numbers) and isinstance(tensor["dtype"], str)):
        raise ValueError
    return end
