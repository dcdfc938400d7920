"""Quantising a checkpoint: the result loads and is close, and nothing unfinished looks finished."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from infill_engine.api import CheckpointError, InfillRequest
from infill_engine.checkpoint import load_model, save_checkpoint
from infill_engine.checkpoint.conversion import convert, quantize_checkpoint, shard_file
from infill_engine.checkpoint.conversion.progress_file import PROGRESS_FILE
from infill_engine.checkpoint.conversion.rounding import to_fp8, to_int4, to_int8
from infill_engine.checkpoint.int8 import quantize
from infill_engine.checkpoint.nibbles import pack_words, unpack_words
from infill_engine.checkpoint.quantization_config import Target, quantization_config
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.format_choice import weight_bytes
from infill_engine.model.config import ModelConfig
from infill_engine.model.quantization import WeightFormat, read_weight_format
from tests.quantized_checkpoint import quantizable_config, write_quantized_checkpoint
from tests.tiny_checkpoint import tiny_config, tiny_model, tiny_tokenizer

CPU = torch.device("cpu")
TARGETS: tuple[Target, ...] = ("fp8", "int4", "int8")
IMAGE = "model.encoder.vision_tower.patch_embedder.input_proj.weight"


def write_source(
    folder: Path, config: ModelConfig | None = None, max_shard_bytes: int = 60_000
) -> dict[str, Tensor]:
    """Several files, bfloat16, an image tensor; returns the weights as stored, in float32."""
    model = tiny_model(config or quantizable_config()).bfloat16()
    save_checkpoint(folder, model, False, {"max_denoising_steps": 8}, max_shard_bytes)
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "notes.bin").write_text("not ours to copy")
    if len(names := sorted(folder.glob("model-*.safetensors"))) > 1:
        tensors = load_file(names[0]) | {IMAGE: torch.ones(3, 2)}
        save_file(tensors, names[0], metadata={"format": "pt"})
    return {name: tensor.float() for name, tensor in model.state_dict().items()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_source(tmp_path / "source")
    return tmp_path / "source"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def step_of(target: Target, weight: Tensor) -> Tensor:
    """The largest error that rounding to nearest makes, for every element."""
    if target == "int4":
        groups = weight.unflatten(-1, (-1, 32))
        largest = groups.abs().amax(-1, keepdim=True).expand_as(groups).flatten(-2)
        # Half a step, or what the smallest scale cuts off; the scale is rounded to 8 bits.
        return torch.maximum(largest / 7.5 / 2, weight.abs() - largest * 0.86 * 7 / 7.5) * 1.04
    largest = weight.abs().amax(-1, keepdim=True)
    if target == "int8":
        return (largest / 127 / 2).expand_as(weight) * 1.001
    # Three bits behind the leading one; below 2**-6 of the unit, steps of 2**-9.
    return torch.maximum(weight.abs() * 2**-4, largest / 448 * 2**-10) * 1.08


@pytest.mark.parametrize("target", TARGETS)
def test_the_result_loads_and_is_close(tmp_path: Path, target: Target) -> None:
    want = write_source(tmp_path / "source")
    done = quantize_checkpoint(tmp_path / "source", tmp_path / "small", target)
    assert done.num_files > 3 and done.num_kept == 0
    got = load_model(tmp_path / "small", CPU, torch.float32).state_dict()
    num_rounded = 0
    for name, tensor in want.items():
        error = (got[name] - tensor).abs()
        is_rounded = tensor.dim() > 1 and "router" not in name
        if target != "int8":
            is_rounded &= name.startswith("layers.")
        if not is_rounded:
            assert not error.any(), name
            continue
        num_rounded += 1
        assert error.any() and (error <= step_of(target, tensor)).all(), name
    assert num_rounded > 20
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert (
        read_weight_format(config)
        == {
            "fp8": WeightFormat("fp8"),
            "int4": WeightFormat("packed_int", 4, 32),
            "int8": WeightFormat("int8"),
        }[target]
    )
    assert config["text_config"]["hidden_size"] == 64


@pytest.mark.parametrize("target", ["fp8", "int4"])
def test_the_layout_is_the_published_one(tmp_path: Path, target: Target) -> None:
    """Same names, types and shapes as a checkpoint in that release's format."""
    write_source(tmp_path / "source", max_shard_bytes=10**9)
    quantize_checkpoint(tmp_path / "source", tmp_path / "small", target)
    write_quantized_checkpoint(tmp_path / "published", target)
    got, want = (load_file(tmp_path / f / "model.safetensors") for f in ("small", "published"))
    assert {n: t.shape for n, t in got.items()} == {n: t.shape for n, t in want.items()}
    quantised = [name for name in want if ".experts." in name or ".self_attn.q_proj" in name]
    assert {n: got[n].dtype for n in quantised} == {n: want[n].dtype for n in quantised}


def test_what_the_files_hold(source: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    quantize_checkpoint(source, small, "int4")
    names = {path.name for path in source.iterdir()} - {"notes.bin"}
    assert {path.name for path in small.iterdir()} == names
    for name in ("tokenizer.json", "generation_config.json", "chat_template.jinja"):
        assert (small / name).read_bytes() == (source / name).read_bytes()
    first = sorted(small.glob("model-*.safetensors"))[0]
    assert torch.equal(load_file(first)[IMAGE], torch.ones(3, 2))  # images go along
    with safe_open(first, framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
    index = json.loads((small / "model.safetensors.index.json").read_text())
    stored = {n for path in small.glob("*.safetensors") for n in load_file(path)}
    assert set(index["weight_map"]) == stored


def test_spare_copies_are_left_out(tmp_path: Path) -> None:
    write_source(tmp_path / "source", max_shard_bytes=10**9)
    path = tmp_path / "source" / "model.safetensors"
    tensors = load_file(path)
    tensors["lm_head.weight"] = tensors["model.decoder.embed_tokens.weight"].clone()
    name = "layers.0.self_attn.q_proj.weight"
    tensors[f"model.encoder.language_model.{name}"] = tensors[f"model.decoder.{name}"].clone()
    save_file(tensors, path)
    quantize_checkpoint(tmp_path / "source", tmp_path / "small", "fp8")
    load_model(tmp_path / "small", CPU, torch.float32)
    assert "lm_head.weight" not in load_file(tmp_path / "small" / "model.safetensors")


def test_size_is_as_computed(tmp_path: Path) -> None:
    """`choose_format` and the converter agree on what a format takes."""
    write_source(tmp_path / "source", max_shard_bytes=10**9)
    for target in ("fp8", "int4"):
        quantize_checkpoint(tmp_path / "source", tmp_path / target, target)
        stored = load_file(tmp_path / target / "model.safetensors")
        num_bytes = sum(
            tensor.nbytes
            for name, tensor in stored.items()
            if not name.startswith("model.encoder.") and not name.endswith("_shape")
        )
        assert num_bytes == weight_bytes(quantizable_config(), target)


def test_progress_rises_to_one(source: Path, tmp_path: Path) -> None:
    shares: list[float] = []
    quantize_checkpoint(source, tmp_path / "small", "fp8", lambda _what, s: shares.append(s))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


class Stop(Exception):
    """Stands for whatever ends a conversion."""


def stop_after(monkeypatch: pytest.MonkeyPatch, num_files: int, error: BaseException) -> None:
    """Let the conversion fail in the middle of a file."""
    written = 0
    original = shard_file.write_shard

    def write_some(path: Path, specs: Any, tensors: Any) -> None:
        nonlocal written
        if written == num_files:

            def half() -> Any:
                yield next(tensors)
                raise error

            original(path, specs, half())
        original(path, specs, tensors)
        written += 1

    monkeypatch.setattr(convert, "write_shard", write_some)


def leave_unfinished(source: Path, dest: Path, target: Target, num_files: int) -> None:
    """Convert so many files and be stopped in the middle of the next."""
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, num_files, Stop())
        with pytest.raises(Stop):
            quantize_checkpoint(source, dest, target)


@pytest.mark.parametrize(
    "error", [Stop(), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_an_interrupted_conversion_goes_on(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    small = tmp_path / "small"
    with monkeypatch.context() as patch:
        stop_after(patch, 2, error)
        with pytest.raises((type(error), CheckpointError)) as caught:
            quantize_checkpoint(source, small, "int4")
    if isinstance(error, OSError):
        assert f"The disk of {small} is full (No space left on device)" in str(caught.value)
        assert "the same command goes on" in str(caught.value)
    # Nothing looks like a model, and no half file is left.
    assert not (small / "config.json").exists()
    assert len(list(small.glob("*.safetensors"))) == 2
    assert not list(small.glob("*.partial"))
    before = {path.name: path.stat().st_mtime_ns for path in small.glob("*.safetensors")}
    assert quantize_checkpoint(source, small, "int4").num_kept == 2
    after = {path.name: path.stat().st_mtime_ns for path in small.glob("*.safetensors")}
    assert before.items() <= after.items()
    quantize_checkpoint(source, tmp_path / "at once", "int4")
    assert contents(small) == contents(tmp_path / "at once")


def test_finished_files_that_changed_are_written_again(source: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    leave_unfinished(source, small, "fp8", num_files=3)
    first, second, third = sorted(small.glob("*.safetensors"))
    damaged = bytearray(first.read_bytes())
    damaged[-1] ^= 1
    first.write_bytes(damaged)
    second.unlink()
    (small / f"{third.name}.partial").write_bytes(b"left by a killed process")
    assert quantize_checkpoint(source, small, "fp8").num_kept == 1
    load_model(small, CPU, torch.float32)
    assert not [path.name for path in small.iterdir() if path.name.startswith(".")]


def message_of(source: Path, dest: Path, target: Target = "int4") -> str:
    with pytest.raises(CheckpointError) as caught:
        quantize_checkpoint(source, dest, target)
    message = str(caught.value)
    assert message[-1] in ".?" and "\n" not in message
    return message


def test_nothing_is_overwritten(source: Path, tmp_path: Path) -> None:
    assert "is not a new folder" in message_of(source, source)
    before = contents(source)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    assert "holds thesis.txt already; nothing is overwritten" in message_of(source, taken)
    assert contents(taken) == {"thesis.txt": b"mine"}
    assert "is not a new folder" in message_of(source, taken / "thesis.txt")
    quantize_checkpoint(source, tmp_path / "small", "int4")
    assert "nothing is overwritten" in message_of(source, tmp_path / "small")
    assert contents(source) == before


def test_an_unfinished_conversion_of_something_else(source: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    leave_unfinished(source, small, "int4", num_files=1)
    assert "holds an unfinished conversion to int4" in message_of(source, small, "fp8")
    other = Path(shutil.copytree(source, tmp_path / "other"))
    raw = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(raw | {"edited": True}))
    assert "of another source" in message_of(other, small)
    (small / PROGRESS_FILE).write_text("{")
    assert "cannot be read; remove" in message_of(source, small)


def test_two_at_once(source: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    with FileLock(tmp_path / "small" / ".quantize.lock"):
        assert "Another process is quantising into" in message_of(source, tmp_path / "small")


def test_disk_too_small(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(convert.shutil, "disk_usage", lambda _folder: usage)
    message = message_of(source, tmp_path / "new" / "small")
    assert "0.07 GB are needed, 0.00 GB are free" in message and "same command" not in message
    assert not (tmp_path / "new" / "small").exists()


def test_sources_that_cannot_be_quantised(source: Path, tmp_path: Path) -> None:
    quantize_checkpoint(source, tmp_path / "small", "fp8")
    assert "is quantised already (fp8)" in message_of(tmp_path / "small", tmp_path / "smaller")
    write_source(tmp_path / "odd", tiny_config())
    assert "which groups of 32 do not divide" in message_of(tmp_path / "odd", tmp_path / "no")
    path = sorted(source.glob("model-*.safetensors"))[1]
    path.write_bytes(path.read_bytes()[:-1])
    assert f"{path} is damaged or cut short" in message_of(source, tmp_path / "no")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("target", TARGETS)
def test_numbers_that_are_not_finite(tmp_path: Path, target: Target) -> None:
    write_source(tmp_path / "source", max_shard_bytes=10**9)
    path = tmp_path / "source" / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    tensors["model.decoder.layers.1.experts.down_proj"][3, 5, 2] = float("nan")
    save_file(tensors, path)
    message = message_of(tmp_path / "source", tmp_path / "small", target)
    assert "model.decoder.layers.1.experts." in message and "not finite" in message
    assert not (tmp_path / "small" / "config.json").exists()


def test_a_source_that_is_cut_short_meanwhile(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = shard_file.write_shard

    def cut_then_write(path: Path, specs: Any, tensors: Any) -> None:
        with (source / path.name).open("r+b") as file:
            file.truncate(20_000)
        original(path, specs, tensors)

    monkeypatch.setattr(convert, "write_shard", cut_then_write)
    message = message_of(source, tmp_path / "small")
    assert "is damaged: model." in message and "ends early" in message
    assert not list((tmp_path / "small").glob("*.safetensors*"))


def test_the_folder_cannot_be_made(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be read or written" in message_of(source, tmp_path / "file" / "small")


def test_rows_of_zeros_stay_zeros() -> None:
    weight = torch.randn(5, 64)
    weight[2] = 0
    weight[3, :32] = 0
    numbers, scale = to_fp8(weight)
    assert not (numbers.float() * scale.float())[2].any() and scale.isfinite().all()
    packed, scale = to_int4(weight)
    back = (unpack_words(packed, 4, 64).float() - 8) * scale.float().repeat_interleave(32, dim=1)
    assert not back[2].any() and not back[3, :32].any() and back[3, 32:].any()


def test_int4_chooses_the_better_scale() -> None:
    weight = torch.randn(64, 128, generator=torch.Generator().manual_seed(0))
    packed, scale = to_int4(weight)
    numbers = unpack_words(packed, 4, 128).float() - 8
    groups = weight.unflatten(-1, (-1, 32))
    got = (numbers.unflatten(-1, (-1, 32)) * scale.float().unsqueeze(-1) - groups).square().sum(-1)
    plain = (groups.abs().amax(-1, keepdim=True) / 7.5).bfloat16().float()
    rounded = (groups / plain).round().clamp(-8, 7) * plain
    least = (rounded - groups).square().sum(-1)
    assert (got <= least).all()
    assert got.sum() < 0.9 * least.sum()
    assert (got.sum() / groups.square().sum()).sqrt() < 0.092


def test_rounding_in_chunks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.randn(37, 64).bfloat16()
    stack = torch.randn(3, 5, 64)
    whole = [*to_fp8(weight), *to_int4(weight), *to_int8(stack)]
    for got, want in zip(to_int8(stack), quantize(stack), strict=True):
        assert torch.equal(got, want)
    monkeypatch.setattr("infill_engine.checkpoint.conversion.rounding._CHUNK_ELEMENTS", 500)
    pieces = [*to_fp8(weight), *to_int4(weight), *to_int8(stack)]
    for got, want in zip(pieces, whole, strict=True):
        assert torch.equal(got.float(), want.float())


@pytest.mark.parametrize("num_bits", [4, 8])
def test_packing_undoes_unpacking(num_bits: int) -> None:
    numbers = torch.randint(0, 1 << num_bits, (3, 21))
    packed = pack_words(numbers, num_bits)
    assert packed.dtype == torch.int32
    assert torch.equal(unpack_words(packed, num_bits, 21).int(), numbers.int())


def test_config_does_not_share_its_lists() -> None:
    quantization_config("fp8")["ignore"].clear()
    assert quantization_config("fp8")["ignore"]


def test_the_engine_runs_the_result(source: Path, tmp_path: Path) -> None:
    quantize_checkpoint(source, tmp_path / "small", "int4")
    config = EngineConfig(model=str(tmp_path / "small"), device="cpu", dtype="float32")
    result = Engine.load(config).infill(InfillRequest("def add(a, b):\n    return ", "\n"))
    assert result.num_steps > 0
