"""Where compiled kernels are kept."""

import os
from pathlib import Path

import pytest

from infill_engine import kernel_files
from infill_engine.kernel_files import keep_compiled_kernels


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TRITON_CACHE_DIR", "")  # restored afterwards
    monkeypatch.delenv("TRITON_CACHE_DIR")
    monkeypatch.setattr(kernel_files.platformdirs, "user_cache_path", lambda _name: tmp_path)
    return tmp_path


def test_in_the_users_cache(own_cache: Path) -> None:
    folder = keep_compiled_kernels()
    assert folder == own_cache / "kernels"
    assert folder.is_dir()
    assert os.environ["TRITON_CACHE_DIR"] == str(folder)


def test_a_folder_that_the_user_names_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", "/somewhere/else")
    assert keep_compiled_kernels() == Path("/somewhere/else")


def test_where_nothing_can_be_written_they_are_temporary(own_cache: Path) -> None:
    (own_cache / "kernels").write_text("a file in the way")
    folder = keep_compiled_kernels()
    assert folder.is_dir()
    assert own_cache not in folder.parents
