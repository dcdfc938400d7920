"""Where the numbers were measured: machine, GPU, versions. Measures nothing."""

import importlib.util
import sys
from importlib import metadata

import torch

from benchmarks.gpu.run import Data
from benchmarks.gpu.scale import Scale
from benchmarks.machine import describe_machine

_PACKAGES = ("torch", "triton", "transformers", "matplotlib")


def facts_of(scale: Scale, commit: str | None) -> Data:
    """For results.json.

    Args:
        scale: its device is described.
        commit: of the code, where git cannot be asked.
    """
    machine = describe_machine().to_dict()
    if commit is not None:
        machine["commit"] = commit
    return {
        "command": ["python", "-m", "benchmarks.gpu", *_without_paths(sys.argv[1:])],
        "machine": machine,
        "gpu": _gpu(scale.device),
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _gpu(device: torch.device) -> Data:
    if device.type != "cuda":
        return {"name": "a CPU", "note": "a dry run on the CPU: its numbers mean nothing"}
    properties = torch.cuda.get_device_properties(device)
    return {
        "name": properties.name,
        "memory_gb": round(properties.total_memory / 1e9, 1),
        "num_processors": properties.multi_processor_count,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
    }


def _version(name: str) -> str | None:
    return None if importlib.util.find_spec(name) is None else metadata.version(name)


def _without_paths(arguments: list[str]) -> list[str]:
    """Nobody needs to know where on a machine results were written."""
    pairs = zip(["", *arguments], arguments, strict=False)
    return ["DIR" if before == "--out" else argument for before, argument in pairs]
