"""llama-cpp-python's OpenAI-compatible server, built for this processor and kept between runs.

In a Python environment of its own, so that its web framework does not decide on ours. Knows
nothing of models or of how it is started.
"""

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from filelock import FileLock

from ..system_packages import CACHE, NotInstallable, ensure_program

_REQUIREMENTS = (
    "llama-cpp-python[server]==0.3.36",
    # What its [server] leaves open, as it was tried.
    "fastapi==0.165.0",
    "pydantic-settings==2.16.3",
    "sse-starlette==3.7.0",
    "starlette==1.10.0",
    "starlette-context==0.3.6",
    "uvicorn==0.54.0",
)
_CMAKE = (
    "-DGGML_NATIVE=ON -DLLAMA_CURL=OFF -DLLAVA_BUILD=OFF -DLLAMA_BUILD_EXAMPLES=OFF "
    "-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF"
)
"""Only the library that Python loads, for the instructions this processor has."""
_BUILD_S = 3600.0


def ensure_llama_cpp_server() -> Path:
    """Return the Python that runs `-m llama_cpp.server`, after building it where it isn't yet.

    Takes minutes the first time: C++ is compiled. Several processes may ask at once: one builds.
    A build that breaks off is never taken: it is made beside its place and renamed.

    Raises:
        NotInstallable: there is no compiler, or pip failed.
    """
    folder = CACHE / f"llama-cpp-{_key()}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{folder.name}.lock"):
        if not folder.is_dir():
            _build(folder)
    return _python_in(folder)


def _key() -> str:
    """Tell apart what was asked for, Python, and the processor it was compiled for."""
    parts = (*_REQUIREMENTS, _CMAKE, _processor_flags())
    what = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return f"{what}-py{sys.version_info[0]}.{sys.version_info[1]}-{platform.machine()}"


def _processor_flags() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _build(folder: Path) -> None:
    ensure_program("g++", "g++")
    with tempfile.TemporaryDirectory(prefix="installing-", dir=CACHE) as temporary:
        building = Path(temporary) / "tree"
        _run(sys.executable, "-m", "venv", str(building))
        _run(str(_python_in(building)), "-m", "pip", "install", "--quiet", *_REQUIREMENTS)
        _run(str(_python_in(building)), "-c", "import llama_cpp.server.app")
        building.rename(folder)


def _python_in(folder: Path) -> Path:
    return folder / "bin" / "python"


def _run(*command: str) -> None:
    # Tests with a clock may run beside it.
    try:
        run = subprocess.run(
            ("nice", "-n", "15", *command),
            capture_output=True,
            text=True,
            timeout=_BUILD_S,
            env={**os.environ, "CMAKE_ARGS": _CMAKE, "PYTHONPATH": ""},
        )
    except subprocess.TimeoutExpired:
        raise NotInstallable("llama-cpp-python's server was not built within an hour") from None
    if run.returncode != 0:
        last = (run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]
        raise NotInstallable(f"llama-cpp-python's server was not built: {' '.join(last)}")
