"""A batch over the way models run on a GPU, on a CPU: requests share passes, and notice nothing."""

from pathlib import Path

import pytest

from infill_engine import engine as engine_module
from infill_engine.api import InfillRequest, InfillResult, InfillUpdate
from infill_engine.batching.latency_guard import LatencyGuard
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.forward.captured import CapturedForward
from infill_engine.forward.captured_decoder import CapturedDecoder
from infill_engine.generation_config import GenerationConfig
from infill_engine.model.diffusion_gemma import DiffusionGemma
from tests.tiny_checkpoint import END_OF_MIDDLE_ID, write_tiny_checkpoint

REQUESTS = [
    InfillRequest(
        f"def total_{name}(numbers):\n    result = {idx}\n    for number in numbers:\n        res",
        "\n    return result\n",
        "python",
        f"{name}.py",
        mode="block",
        max_new_tokens=40,
        seed=idx,
    )
    for idx, name in enumerate(("alpha", "beta", "gamma"))
]


class Permissive(LatencyGuard):
    """Lets everybody in: here company is tested, not whether it pays."""

    def admits(self, num_rows: int) -> bool:
        return num_rows < len(REQUESTS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    def captured(
        model: DiffusionGemma, capacity_tokens: int, *_shapes: object, **_options: object
    ) -> CapturedForward:
        return CapturedForward(model, capacity_tokens)

    folder: Path = tmp_path_factory.mktemp("tiny")
    generation = GenerationConfig(
        max_denoising_steps=5,
        eos_token_ids=(1, END_OF_MIDDLE_ID),
        max_context_tokens=128,
        settle_entropy=2.0,
        settle_steps=1,
    )
    write_tiny_checkpoint(folder, generation=generation)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "choose_forward", captured)
        return Engine.load(EngineConfig(str(folder), dtype="float32", num_threads=1))


def course(events: list[InfillUpdate | InfillResult]) -> object:
    *updates, result = events
    assert isinstance(result, InfillResult), result
    return [update.text for update in updates], result.text, result.num_steps


def test_requests_share_passes_and_notice_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_canvases: list[int] = []
    run = CapturedDecoder.run

    def noted(self: CapturedDecoder, canvases: list[object], caches: list[object]) -> object:
        num_canvases.append(len(canvases))
        return run(self, canvases, caches)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(CapturedDecoder, "run", noted)
    batch = engine.open_batch(guard=Permissive(len(REQUESTS)))
    told: list[list[InfillUpdate | InfillResult]] = [[] for _ in REQUESTS]
    for request, events in zip(REQUESTS, told, strict=True):
        batch.admit(request, None, events.append)  # pyright: ignore[reportArgumentType]
    while batch.num_rows:
        batch.advance()
    assert max(num_canvases) == len(REQUESTS)
    for request, events in zip(REQUESTS, told, strict=True):
        engine.forget_prompts()
        assert course(events) == course(list(engine.stream(request)))
