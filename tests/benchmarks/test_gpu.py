"""The GPU benchmark: its arithmetic by hand-computed numbers, and a dry run of all of it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu.__main__ import main
from benchmarks.gpu.floors import (
    Roof,
    WeightFormat,
    experts_hit,
    floor_ms,
    prefill_parts,
    step_parts,
    total_bytes,
    total_flop,
)
from benchmarks.gpu.random_model import SkewedRouters, build_model, count_experts_hit
from benchmarks.gpu.run import Data, Run
from benchmarks.gpu.sampler_draws import SMALLEST_P, chi_square_p
from benchmarks.gpu.scale import toy
from benchmarks.gpu.targets import TARGETS, reached, verdict
from infill_engine.model.config import ModelConfig

PUBLISHED = ModelConfig()
H200 = Roof(bytes_per_s=4.3e12, flop_per_s=790e12)


@pytest.mark.parametrize(
    ("weight_format", "gigabytes", "milliseconds"),
    [("bf16", 52.8, 13.0), ("fp8", 28.3, 7.2), ("int4", 16.8, 5.2)],
)
def test_floor_of_a_step(
    weight_format: WeightFormat, gigabytes: float, milliseconds: float
) -> None:
    parts = step_parts(PUBLISHED, weight_format, num_canvas=256, num_prefix=1024)
    assert total_bytes(parts) / 1e9 == pytest.approx(gigabytes, abs=0.06)
    assert total_flop(parts) / 1e12 == pytest.approx(2.53, abs=0.006)
    assert floor_ms(parts, H200) == pytest.approx(milliseconds, abs=0.06)


def test_parts_of_a_step() -> None:
    parts = {p.name: p for p in step_parts(PUBLISHED, "bf16", num_canvas=256, num_prefix=1024)}
    found = {name: (p.num_bytes / 1e9, p.flop / 1e9) for name, p in parts.items()}
    assert found["experts"] == pytest.approx((45.68, 731), rel=1e-3)
    assert found["dense MLP"] == pytest.approx((1.07, 274), rel=2e-3)
    assert found["attention products"] == pytest.approx((2.22, 568), rel=2e-3)
    assert found["attention"] == pytest.approx((0.29, 188), rel=1e-2)
    assert found["head"] == found["soft embedding"] == pytest.approx((1.476, 378), rel=1e-3)
    assert found["logits"][0] == pytest.approx(0.54, rel=1e-2)


@pytest.mark.parametrize(("batch", "milliseconds"), [(2, 15.4), (4, 20.2), (8, 29.9)])
def test_floor_of_a_batch(batch: int, milliseconds: float) -> None:
    parts = step_parts(PUBLISHED, "bf16", 256, 1024, batch)
    assert floor_ms(parts, H200) == pytest.approx(milliseconds, abs=0.06)


def test_floor_of_small_canvases_and_of_a_longer_prompt() -> None:
    assert floor_ms(step_parts(PUBLISHED, "bf16", 64, 1024), H200) == pytest.approx(12.0, abs=0.1)
    assert floor_ms(step_parts(PUBLISHED, "bf16", 32, 1024), H200) == pytest.approx(10.8, abs=0.2)
    attention = next(p for p in step_parts(PUBLISHED, "bf16", 256, 4096) if p.name == "attention")
    assert attention.num_bytes / 1e9 == pytest.approx(0.35, abs=0.005)
    assert attention.flop / 1e9 == pytest.approx(317, abs=1)


def test_floor_of_a_prefill() -> None:
    parts = prefill_parts(PUBLISHED, "bf16", num_new=1024)
    assert total_bytes(parts) / 1e9 == pytest.approx(49.2, abs=0.06)
    assert total_flop(parts) / 1e12 == pytest.approx(6.62, abs=0.02)
    assert floor_ms(parts, H200) == pytest.approx(15.3, abs=0.06)


@pytest.mark.parametrize(("num_rows", "num_hit"), [(1, 8), (16, 82.4), (32, 111.8), (64, 125.9)])
def test_experts_hit_by_an_even_router(num_rows: int, num_hit: float) -> None:
    assert experts_hit(PUBLISHED, num_rows) == pytest.approx(num_hit, abs=0.06)


def test_chi_square_knows_right_draws_from_wrong_ones() -> None:
    shares = torch.rand(200, generator=torch.Generator().manual_seed(0)).double().pow(6)
    shares /= shares.sum()
    generator = torch.Generator().manual_seed(1)
    drawn = torch.multinomial(shares, 20_000, replacement=True, generator=generator)
    counts = torch.bincount(drawn, minlength=200)
    assert chi_square_p(counts, shares) > 0.01
    warmer = shares.pow(0.9)
    assert chi_square_p(counts, warmer / warmer.sum()) < SMALLEST_P


def test_same_seed_same_weights_and_a_skewed_router_hits_fewer_experts() -> None:
    scale = toy()
    model, again = build_model(scale, seed=3), build_model(scale, seed=3)
    for (name, one), other in zip(model.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other), name
    before = model.layers[0].router.proj.weight.clone()

    def hit() -> float:
        return count_experts_hit(model, [1, 2, 3], torch.arange(8)[None])

    even = hit()
    with SkewedRouters(model, seed=0):
        assert hit() < even
    assert torch.equal(model.layers[0].router.proj.weight, before)


def test_verdicts() -> None:
    step, tokens = TARGETS["bf16_step"], TARGETS["bf16_tokens"]
    assert [verdict(step, ms) for ms in (14.0, 17.0, 18.0, None)] == [
        "aim reached",
        "reached",
        "missed",
        "not measured",
    ]
    assert verdict(tokens, 900) == "reached"
    assert set(reached({})) == set(TARGETS)
    assert not any(reached({}).values())


def test_a_failing_stage_is_written_down_and_the_next_one_runs(tmp_path: Path) -> None:
    run = Run(toy(), tmp_path, seed=0, minutes=1, facts={})

    def fail(_run: Run, data: Data) -> None:
        data["so far"] = 1
        raise ValueError("no such kernel\nand more")

    run.do("first", fail, share_left=0.5)
    run.do("second", lambda _run, data: data.update(found=2), share_left=1.0)
    stages = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["stages"]
    assert stages["first"]["why"] == "ValueError: no such kernel"
    assert stages["first"]["so far"] == 1
    assert stages["second"] == {"status": "done", "found": 2, "seconds": 0.0}
    assert run.has_failed
    late = Run(toy(), tmp_path, seed=0, minutes=0, facts={})
    late.do("third", fail, share_left=1.0)
    assert late.stages["third"]["status"] == "skipped"


@pytest.fixture(scope="module")
def dry_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu")
    num_threads = torch.get_num_threads()
    arguments = ["benchmarks.gpu", "--toy", "--out", str(folder), "--minutes", "2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as end:
            main()
    torch.set_num_threads(num_threads)
    assert end.value.code == 0
    return folder


@pytest.fixture
def results(dry_run: Path) -> dict[str, Any]:
    return json.loads((dry_run / "results.json").read_text(encoding="utf-8"))


def test_every_stage_ran(results: dict[str, Any]) -> None:
    stages = results["stages"]
    assert {name: stage["status"] for name, stage in stages.items()} == {
        "correctness": "done",
        "ceilings": "done",
        "microbenchmarks": "done",
        "own_int4": "done",
        "own_fp8": "done",
        "company": "done",
        "bf16_beside_eager": "done",
        "bf16_beside_compiled": "skipped",
    }
    assert {"experts, bf16", "experts, fp8", "experts, int4"} <= {
        line["op"] for line in stages["microbenchmarks"]["lines"]
    }
    assert all("why" not in line for line in stages["microbenchmarks"]["lines"])
    assert "DIR" in results["command"]


def test_requests_that_share_steps_are_timed(results: dict[str, Any]) -> None:
    steps = results["stages"]["company"]["steps"]
    assert [step["num_canvases"] for step in steps] == [1, 2]
    assert all(step["step_ms"]["p50"] > 0 for step in steps)


def test_both_models_ran_every_scenario_over_the_same_weights(results: dict[str, Any]) -> None:
    stage = results["stages"]["bf16_beside_eager"]
    assert stage["agreement"]["relative_error"] < 1e-4
    for name, scenario in stage["scenarios"].items():
        wanted = {"own"} if name == "keystroke" else {"own", "transformers eager"}
        assert set(scenario["runs"]) == wanted
        for runner, times in scenario["runs"].items():
            assert "why" not in times, (name, runner)
            assert times["step_ms"]["p50"] > 0
    main_runs = stage["scenarios"]["main"]["runs"]
    # Two canvases a turn of three steps; transformers' first step of each comes with a prefill.
    assert len(main_runs["own"]["step_ms"]["raw"]) == 2 * 3
    assert len(main_runs["transformers eager"]["step_ms"]["raw"]) == 2 * 2
    assert main_runs["own"]["tokens_per_s"] == pytest.approx(
        16_000 / main_runs["own"]["canvas_ms"]["p50"], rel=0.01
    )


def test_the_report_names_the_targets_and_the_plot_is_there(dry_run: Path) -> None:
    text = (dry_run / "report.md").read_text(encoding="utf-8")
    for target in TARGETS.values():
        assert target.name in text
    assert "dry run" in text
    assert (dry_run / "roofline.png").stat().st_size > 10_000
    assert "main, own" in (dry_run / "raw.log").read_text(encoding="utf-8")
