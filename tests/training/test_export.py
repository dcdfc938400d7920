"""An exported run is a model folder that the engine loads, and scores as before the rounding."""

import json
from pathlib import Path

import pytest
import torch

from infill_engine.checkpoint.loader import load_model
from infill_engine.generation_config import read_generation_config
from tests.training.toy_shards import VOCAB_SIZE, write_toy_shards
from training import export, train
from training.evaluate import Decoding, evaluate
from training.shards import ShardReader
from training.state import load_state


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Shards, and a run over them."""
    root = tmp_path_factory.mktemp("export")
    shards = write_toy_shards(root / "shards")
    arguments = [
        *("--preset", "toy", "--vocab-size", str(VOCAB_SIZE), "--shards", str(shards)),
        *("--out", str(root / "run"), "--steps", "12", "--eval-examples", "0"),
    ]
    threads = torch.get_num_threads()
    train.run(train.parse_flags(arguments))
    torch.set_num_threads(threads)
    return shards, root / "run"


@pytest.mark.parametrize("checkpoint", ["checkpoint", "light"])
def test_engine_loads_what_is_exported(
    trained: tuple[Path, Path], tmp_path: Path, checkpoint: str
) -> None:
    shards, run = trained
    state = load_state(run / checkpoint)
    export.export(state, tmp_path, averaged=True, keeps_generation=False)
    generation = read_generation_config(tmp_path)
    assert generation.noise == "mask"
    assert generation.eos_token_ids == (5,)
    loaded = load_model(tmp_path, torch.device("cpu"), torch.float32)
    original = export.model_of(state, averaged=True)
    reader = ShardReader(shards, "dev")
    before, after = (
        evaluate(model, reader, "mask", Decoding(), num_examples=16) for model in (original, loaded)
    )
    assert after.loss_at == pytest.approx(before.loss_at, abs=0.05)


def test_tuned_settings_are_kept_when_asked(trained: tuple[Path, Path], tmp_path: Path) -> None:
    state = load_state(trained[1] / "checkpoint")
    export.export(state, tmp_path, averaged=False, keeps_generation=True)
    path = tmp_path / "generation_config.json"
    tuned = json.loads(path.read_text()) | {"max_denoising_steps": 3}
    path.write_text(json.dumps(tuned))
    export.export(state, tmp_path, averaged=False, keeps_generation=True)
    assert read_generation_config(tmp_path).max_denoising_steps == 3
    export.export(state, tmp_path, averaged=False, keeps_generation=False)
    assert read_generation_config(tmp_path).max_denoising_steps == 32


def test_too_large_weights_are_refused(
    trained: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="at most 1000"):
        export.export(load_state(trained[1] / "checkpoint"), tmp_path, True, False)
