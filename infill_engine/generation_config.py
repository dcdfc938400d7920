"""How a checkpoint wants its canvases denoised, as read from its `generation_config.json`.

The official fields, plus an optional `infill` object of this project. Knows nothing of tensors,
of tokens' text or of what a request may change.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from infill_engine.acceptance import ACCEPTANCE_ORDERS, AcceptanceOrder
from infill_engine.api import CheckpointError
from infill_engine.confidence import Calibration
from infill_engine.draft_check import DraftCalibration
from infill_engine.model.config import read_json_object

Noise = Literal["uniform", "mask"]
NOISES: tuple[Noise, ...] = ("uniform", "mask")

_T = TypeVar("_T", Calibration, DraftCalibration)

_FILE = "generation_config.json"
_OFFICIAL_EOS_IDS = (1, 106, 50)  # <eos>, <turn|>, <|tool_response>


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """Settings of the denoiser; the defaults are those of google/diffusiongemma-26B-A4B-it.

    Attributes:
        max_denoising_steps: steps after which a canvas is taken as it is, at least 1.
        entropy_bound: nats that the positions accepted together may hold beside the least sure
            of them. Above 0.
        acceptance_order: whether the surest positions are accepted first, or those from the left.
        t_min: temperature that the schedule falls towards, at most `t_max`; both 0 is greedy.
        t_max: temperature of the first step.
        stability_threshold: earlier steps whose argmax canvas must agree to stop; 0 asks none.
        confidence_threshold: mean nats over the canvas below which it may stop, above 0.
        eos_token_ids: tokens that end the text.
        pad_token_id: filler behind the end.
        bos_token_id: first token of every prompt.
        noise: what fills positions that are not accepted: random ids, or the mask token.
        max_context_tokens: prompt tokens kept, those nearest the cursor.
        settle_steps: steps a leading position must be unchanged and sure to be settled, at least 1.
        settle_entropy: nats below which a position is sure, above 0.
        line_canvas_tokens: canvas length for one line, at least 1; 0 takes the model's own.
        calibration: how entropies tell what is right, or None where nobody has measured it.
        drafting: how drafts from the file are judged, or None to make none.
    """

    max_denoising_steps: int = 48
    entropy_bound: float = 0.1
    acceptance_order: AcceptanceOrder = "surest"
    t_min: float = 0.4
    t_max: float = 0.8
    stability_threshold: int = 1
    confidence_threshold: float = 0.005
    eos_token_ids: tuple[int, ...] = _OFFICIAL_EOS_IDS
    pad_token_id: int = 0
    bos_token_id: int = 2
    noise: Noise = "uniform"
    max_context_tokens: int = 4096
    settle_steps: int = 2
    settle_entropy: float = 0.1
    line_canvas_tokens: int = 0
    calibration: Calibration | None = None
    drafting: DraftCalibration | None = None

    def __post_init__(self) -> None:
        """Refuse values no denoiser could use.

        Raises:
            CheckpointError: naming the field, its value and what is allowed.
        """
        for name in ("max_denoising_steps", "max_context_tokens", "settle_steps"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("stability_threshold", "line_canvas_tokens", "pad_token_id", "bos_token_id"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        for name in ("entropy_bound", "confidence_threshold", "settle_entropy"):
            value = getattr(self, name)
            self._require(name, value > 0 and math.isfinite(value), "a number above 0")
        if self.t_max != 0:
            for name in ("t_min", "t_max"):
                value = getattr(self, name)
                is_good = value > 0 and math.isfinite(value)
                self._require(name, is_good, "a number above 0, or 0 for both to be greedy")
        self._require("t_max", self.t_max >= self.t_min, f"at least t_min, {self.t_min}")
        self._require("eos_token_ids", all(i >= 0 for i in self.eos_token_ids), "0 or more each")
        self._require("noise", self.noise in NOISES, " or ".join(map(repr, NOISES)))
        orders = ACCEPTANCE_ORDERS
        allowed = " or ".join(map(repr, orders))
        self._require("acceptance_order", self.acceptance_order in orders, allowed)

    def temperature(self, step_idx: int) -> float:
        """Temperature of step `step_idx` (from 0), falling linearly from t_max towards t_min."""
        share_left = (self.max_denoising_steps - step_idx) / self.max_denoising_steps
        return self.t_min + (self.t_max - self.t_min) * share_left

    def _require(self, name: str, is_good: bool, allowed: str) -> None:
        if not is_good:
            raise CheckpointError(
                f"{_FILE}: {name} is {getattr(self, name)!r}; it must be {allowed}."
            )

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "GenerationConfig":
        """Read the official layout; absent or null fields keep the official values.

        Raises:
            CheckpointError: a field has the wrong kind of value or is out of range.
        """
        sampler = _object(raw, "sampler_config")
        kind = sampler.get("_cls_name", "EntropyBoundSamplerConfig")
        if kind != "EntropyBoundSamplerConfig":
            raise CheckpointError(
                f"{_FILE}: sampler_config is a {kind!r}; only 'EntropyBoundSamplerConfig' is known."
            )
        fields: dict[str, Any] = {
            **_numbers(raw, ints="max_denoising_steps stability_threshold pad_token_id"),
            **_numbers(raw, ints="bos_token_id", floats="t_min t_max confidence_threshold"),
            **_numbers(sampler, floats="entropy_bound"),
        }
        infill = _object(raw, "infill")
        fields |= _numbers(infill, ints="max_context_tokens settle_steps line_canvas_tokens")
        fields |= _numbers(infill, floats="settle_entropy")
        fields |= {
            name: infill[name]
            for name in ("noise", "acceptance_order")
            if infill.get(name) is not None
        }
        fields["calibration"] = _numbers_of(infill, "calibration", Calibration)
        fields["drafting"] = _numbers_of(infill, "drafting", DraftCalibration)
        if raw.get("eos_token_id") is not None:
            fields["eos_token_ids"] = _token_ids(raw["eos_token_id"])
        return cls(**fields)

    def to_dict(self) -> dict[str, Any]:
        """The official layout, with our settings under `infill`."""
        measured = {"calibration": self.calibration, "drafting": self.drafting}
        return {
            "max_denoising_steps": self.max_denoising_steps,
            "sampler_config": {
                "_cls_name": "EntropyBoundSamplerConfig",
                "entropy_bound": self.entropy_bound,
            },
            "t_min": self.t_min,
            "t_max": self.t_max,
            "stability_threshold": self.stability_threshold,
            "confidence_threshold": self.confidence_threshold,
            "eos_token_id": list(self.eos_token_ids),
            "pad_token_id": self.pad_token_id,
            "bos_token_id": self.bos_token_id,
            "infill": {
                "noise": self.noise,
                "acceptance_order": self.acceptance_order,
                "max_context_tokens": self.max_context_tokens,
                "settle_steps": self.settle_steps,
                "settle_entropy": self.settle_entropy,
                "line_canvas_tokens": self.line_canvas_tokens,
                **{name: asdict(value) for name, value in measured.items() if value},
            },
        }


def read_generation_config(folder: Path) -> GenerationConfig:
    """Read `folder/generation_config.json`.

    Raises:
        CheckpointError: the file is missing, is not JSON or holds a wrong value.
    """
    return GenerationConfig.from_dict(read_json_object(folder / _FILE))


def write_generation_config(folder: Path, config: GenerationConfig) -> None:
    """Replace `folder/generation_config.json`."""
    text = json.dumps(config.to_dict(), indent=2)
    (folder / _FILE).write_text(text + "\n", encoding="utf-8")


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise CheckpointError(f"{_FILE}: {name} is {value!r}; it must be an object.")
    return value


def _numbers(raw: Mapping[str, Any], ints: str = "", floats: str = "") -> dict[str, Any]:
    """The fields that are present, each checked to be a number of its kind."""
    found: dict[str, Any] = {}
    for name in (*ints.split(), *floats.split()):
        value = raw.get(name)
        if value is None:
            continue
        is_whole = name in ints.split()
        if isinstance(value, bool) or not isinstance(value, int if is_whole else (int, float)):
            kind = "a whole number" if is_whole else "a number"
            raise CheckpointError(f"{_FILE}: {name} is {value!r}; it must be {kind}.")
        found[name] = value if is_whole else float(value)
    return found


def _numbers_of(raw: Mapping[str, Any], name: str, kind: type[_T]) -> _T | None:
    """An object whose fields are all numbers; None where it is absent.

    Raises:
        CheckpointError: a field is missing or is no number.
    """
    if raw.get(name) is None:
        return None
    wanted = [field.name for field in dataclass_fields(kind)]
    numbers = _numbers(_object(raw, name), floats=" ".join(wanted))
    missing = [field for field in wanted if field not in numbers]
    if missing:
        raise CheckpointError(f"{_FILE}: infill.{name} lacks {', '.join(missing)}.")
    return kind(**numbers)


def _token_ids(value: Any) -> tuple[int, ...]:
    ids = value if isinstance(value, list) else [value]
    if not all(isinstance(i, int) and not isinstance(i, bool) for i in ids):
        raise CheckpointError(
            f"{_FILE}: eos_token_id is {value!r}; it must be a token id or a list of them."
        )
    return tuple(ids)
