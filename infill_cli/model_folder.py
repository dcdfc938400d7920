"""What a model's folder holds, read without torch: configuration, sizes, damage.

Checks what can be checked in milliseconds (files there, headers whole, lengths right); whether
the weights fit the configuration is for the engine to say. Knows nothing of where models come
from.
"""

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import infill_engine
from infill_engine.api import CheckpointError

EMBEDDED = "embedded"
MODEL_TYPE = "diffusion_gemma"
_MAX_HEADER_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model as its folder describes it.

    Attributes:
        folder: where it is.
        num_parameters: numbers stored, scales of quantized matrices included.
        weight_bytes: bytes of all weight files.
        num_weight_files: how many there are.
        dtypes: number formats stored, most bytes first ("BF16", "I8").
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
    config = _read_json(folder / "config.json")
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
    return ModelFacts(
        folder=folder,
        num_parameters=num_parameters,
        weight_bytes=sum(file.stat().st_size for file in files),
        num_weight_files=len(files),
        dtypes=tuple(sorted(bytes_of_dtype, key=lambda name: -bytes_of_dtype[name])),
        num_layers=text_config.get("num_hidden_layers"),
        hidden_size=text_config.get("hidden_size"),
        num_experts=text_config.get("num_experts"),
        canvas_length=config.get("canvas_length"),
    )


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise CheckpointError(f"{folder} holds no weights (*.safetensors).")
        return files
    weight_map = _read_json(index).get("weight_map")
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
        data_bytes = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise CheckpointError(f"{path} is damaged: its header cannot be read.") from None
    expected_bytes = 8 + header_bytes + data_bytes
    if num_bytes != expected_bytes:
        raise CheckpointError(
            f"{path} is damaged: it has {num_bytes} bytes and should have {expected_bytes}. "
            "Fetch it again."
        )
    return header


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} holds no {path.name}.") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error}).") from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} is no JSON object.")
    return data
