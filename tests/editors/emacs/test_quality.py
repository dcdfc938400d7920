"""Emacs' own checks of the client: it compiles without a warning, and its docstrings are right."""

import shutil
import subprocess
from pathlib import Path

from .batch import PLUGIN


def test_it_compiles_without_a_warning(emacs_program: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(PLUGIN, tmp_path / "emacs")
    run = subprocess.run(
        [
            *(emacs_program, "--batch", "-Q", "-L", copy),
            *("--eval", "(setq byte-compile-error-on-warn t)"),
            *("-f", "batch-byte-compile", *sorted(copy.glob("*.el"))),
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_its_docstrings_are_as_emacs_wants_them(emacs_program: Path) -> None:
    files = sorted(PLUGIN.glob("*.el"))
    checks = " ".join(f'(checkdoc-file "{file}")' for file in files)
    run = subprocess.run(
        [emacs_program, "--batch", "-Q", "--eval", f"(progn {checks})"],
        capture_output=True,
        text=True,
    )
    assert len(files) == 5
    assert run.returncode == 0 and run.stderr == "", run.stderr
