"""Runs tests/kernels/interpreted in a process in which Triton interprets its kernels on the CPU.

Right results, in float32 and float16, without a GPU. The interpreter gets bfloat16 wrong (it
multiplies raw bits), so that type is left to `test_moe_compiles.py` and to benchmarks on a GPU.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is installed on Linux only")

FOLDER = Path(__file__).parent / "interpreted"


def test_kernels_in_the_interpreter() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", str(FOLDER), "-p", "no:cacheprovider"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
