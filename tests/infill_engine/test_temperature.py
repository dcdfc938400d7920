"""A request's own temperature: by chance where the checkpoint is greedy, and still repeatable."""

from dataclasses import replace

import pytest

from infill_engine.api import InfillRequest, RequestInvalid
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine

REQUEST = InfillRequest(
    prefix="import json\n\n\ndef read(path):\n    text = path.read_text()\n"
    "    return json.loads(text)\n\n\ndef read_state(path):\n",
    suffix="\n\ndef main():\n    print(read('config.json'))\n",
    language_id="python",
    mode="rewrite",
    selection="    return json.loads(path.read_text())\n",
)
SEEDS = range(4)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(EngineConfig(dtype="float32"))


def texts(engine: Engine, temperature: float | None) -> list[str]:
    request = replace(REQUEST, temperature=temperature)
    return [engine.infill(replace(request, seed=seed)).text for seed in SEEDS]


def test_a_greedy_checkpoint_writes_one_text_and_a_warm_request_several(engine: Engine) -> None:
    (greedy,) = set(texts(engine, None))
    assert set(texts(engine, 0.0)) == {greedy}
    assert len(set(texts(engine, 0.5))) > 1


def test_the_same_seed_writes_the_same_text(engine: Engine) -> None:
    assert texts(engine, 0.5) == texts(engine, 0.5)


def test_a_line_taken_over_from_the_file_is_drawn_too(engine: Engine) -> None:
    line = InfillRequest("total = first + second\nprint(total)\n" * 3 + "total = ", "\n")
    assert engine.infill(line).num_steps == 0, "needs a line that the file has"
    assert engine.infill(replace(line, temperature=0.5)).num_steps > 0


@pytest.mark.parametrize("temperature", [-0.1, 2.1, float("nan")])
def test_out_of_range_is_refused(temperature: float) -> None:
    with pytest.raises(RequestInvalid, match="temperature is"):
        replace(REQUEST, temperature=temperature)
