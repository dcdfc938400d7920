"""The commands, with a scripted engine process on the far side."""

import json
from pathlib import Path
from typing import Any

import pytest

from infill_cli.samples_index import read_samples

SOURCE = b"def add(left, right):\r\n    \r\n"


@pytest.fixture
def source(folders: Path) -> Path:
    path = folders / "work" / "add.py"
    path.write_bytes(SOURCE)
    return path


def test_complete_prints_the_text(run_scripted: Any, source: Path) -> None:
    result = run_scripted("complete", "add.py:2:5")
    assert (result.exit_code, result.stdout) == (0, "return left + right\n")
    assert source.read_bytes() == SOURCE


def test_complete_as_json(run_scripted: Any, source: Path) -> None:
    result = run_scripted("complete", "add.py:2:5", "--json", "--mode", "block")
    data = json.loads(result.stdout)
    place = {"line": 2, "column": 5}
    assert data["text"] == "return left + right"
    assert data["range"] == {"start": place, "end": place}
    assert (data["finish_reason"], data["num_steps"]) == ("converged", 3)
    assert data["timings_ms"] == {"prefill": 1.0, "denoise": 2.0, "total": 3.0}


def test_watch_without_a_terminal_prints_steps(run_scripted: Any, source: Path) -> None:
    result = run_scripted("complete", "add.py:2:5", "--watch")
    assert result.stdout == "return left + right\n"
    assert "step   2  settled      7/14  return left + " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("complete", "add.py:9:1"), "add.py has lines 1 to 3; line 9 is not one of them."),
        (("complete", "none.py:1:1"), "none.py does not exist."),
        (("complete", "add.py"), "names no place"),
        (("complete", "add.py:1:1", "--max-new-tokens", "5000"), "allowed is 1 to 1024"),
        (("rewrite", "add.py:1-9", "--instruction", "x"), "line 9 is not one of them"),
        (("rewrite", "add.py:1", "--instruction", " "), "The instruction is empty"),
        (("model", "use", "nowhere"), "nowhere does not exist"),
        (("engine", "run", "--port", "70000"), "port is 70000"),
        (("engine", "run", "--port", "x"), "'x' is not a valid integer"),
        (("engine", "jump"), "No such command 'jump'. See `infill-ls engine --help`."),
        (("complete",), "Missing argument 'PATH:LINE:COLUMN'. See `infill-ls complete --help`."),
        (("complete", "add.py:1:1", "--seed", str(2**64)), "seed has too many digits"),
        (("complete", "add.py:1:1", "--mode", "rewrite"), "is not one of 'line', 'block'"),
        (("rewrite", "add.py:1"), "Missing option '--instruction'"),
        (("rewrite", "add.py:1", "--instruction"), "requires an argument"),
        (("rewrite", "add.py:2-1", "--instruction", "x"), "end before they start"),
        (("jump",), "No such command 'jump'. See `infill-ls --help`."),
        (("--jump",), "No such option '--jump'"),
        (("model", "use", "./owner"), "owner does not exist"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_2(
    run: Any, source: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.startswith("infill-ls: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("word", ["FAIL", "OOM"])
def test_failing_request_is_one_sentence_and_exit_2(
    run_scripted: Any, folders: Path, word: str
) -> None:
    (folders / "work" / "b.py").write_text(word)
    result = run_scripted("complete", f"b.py:1:{len(word) + 1}")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_rewrite_prints_a_diff_and_changes_nothing(run_scripted: Any, source: Path) -> None:
    result = run_scripted("rewrite", "add.py:2-2", "--instruction", "fill it")
    assert result.stdout == (
        "--- a/add.py\n+++ b/add.py\n@@ -1,2 +1,2 @@\n"
        " def add(left, right):\n-    \n+return left + right\n"
    )
    assert source.read_bytes() == SOURCE


def test_rewrite_with_apply_keeps_newlines(run_scripted: Any, source: Path) -> None:
    assert run_scripted("rewrite", "add.py:2", "--instruction", "x", "--apply").exit_code == 0
    assert source.read_bytes() == b"def add(left, right):\r\nreturn left + right\r\n"
    again = run_scripted("rewrite", "add.py:2", "--instruction", "x", "--apply")
    assert (again.stdout, again.stderr) == ("", "The lines stay as they are.\n")


def test_diff_of_a_last_line_without_newline(run_scripted: Any, folders: Path) -> None:
    (folders / "work" / "b.py").write_bytes(b"x\x0cy")
    result = run_scripted("rewrite", "b.py:1", "--instruction", "x")
    no_newline = "\\ No newline at end of file\n"
    assert result.stdout.endswith(f"-x\x0cy\n{no_newline}+return left + right\n{no_newline}")


def test_demo_fills_the_samples(run_scripted: Any) -> None:
    result = run_scripted("demo")
    assert result.exit_code == 0
    assert "        self.owner = owner\n        ⟦return left + right⟧\n" in result.stdout
    assert "TypeScript: vector.ts, line 21" in result.stdout
    assert "the file has: return 0, ErrEmpty" in result.stdout


@pytest.mark.parametrize("sample", read_samples(), ids=lambda sample: sample.file)
def test_every_sample_has_its_gap(sample: Any) -> None:
    gap = sample.cut()
    assert gap.source.text[gap.start : gap.end] == sample.middle
    assert gap.suffix.startswith("\n")
    assert gap.filled(sample.middle) == gap.source.text


def test_engine_status_and_stop(run_scripted: Any, run: Any) -> None:
    result = run_scripted("engine", "status")
    assert result.exit_code == 0
    assert "status   ready" in result.stdout
    assert json.loads(run_scripted("engine", "status", "--json").stdout)["status"] == "ready"
    stopped = run("engine", "status")
    assert stopped.exit_code == 1
    assert "engine.log" in stopped.stdout
    assert run("engine", "stop").stdout == "No engine was running.\n"


def test_help_and_version(run: Any) -> None:
    listed = run("--help").stdout
    for name in ("serve", "complete", "rewrite", "demo", "doctor", "engine", "model"):
        assert f"  {name} " in listed
    assert run("--version").stdout.startswith("infill-ls, version ")


def test_context_shows_what_the_model_would_see(run: Any, source: Path) -> None:
    (source.parent / "shop.py").write_text("from add import add\n\n\ntotal = add(1, 2)\n")
    result = run("context", "shop.py:4:16", "--open", "add.py")
    assert result.exit_code == 0
    assert "shop.py, python\nin code, fills a line\nwithin no definition\n" in result.stdout
    assert "Snippet 1: add.py, " in result.stdout
    assert "def add(left, right):\n" in result.stdout
    assert "Counted by the chosen model's tokenizer" in result.stdout
    assert run("context", "shop.py:9:1").exit_code == 2
