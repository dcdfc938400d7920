"""Where a number was measured: machine, load, versions, commit. No host or user name, no path."""

import importlib.util
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Machine:
    """Machine and software a benchmark runs on.

    Attributes:
        cpu_model: the processor's name.
        num_cores: logical processors this process may use.
        memory_gib: installed memory.
        load_average: mean number of running processes in the last minute, before the benchmark;
            -1 where the system does not tell. Well above 0, the timings are of a busy machine.
        system: kernel and architecture.
        python: version.
        torch: version, with its build.
        infill_ls: version, "not installed" when run from its source.
        commit: git commit of the code, with "+changes" when files differ from it.
    """

    cpu_model: str
    num_cores: int
    memory_gib: float
    load_average: float
    system: str
    python: str
    torch: str
    infill_ls: str
    commit: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.cpu_model}, {self.num_cores} cores, {self.memory_gib:g} GiB, "
            f"load average {self.load_average:.2f}, {self.system}\n"
            f"Python {self.python}, torch {self.torch}, infill-ls {self.infill_ls}, "
            f"commit {self.commit}"
        )


def describe_machine() -> Machine:
    """Look at this machine as it is now."""
    return Machine(
        cpu_model=_cpu_model(),
        num_cores=_num_cores(),
        memory_gib=round(_memory_bytes() / _GIB, 1),
        load_average=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        torch=metadata.version("torch"),
        infill_ls=_own_version(),
        commit=_commit(),
    )


def _num_cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int:
    # A GPU machine's image may have torch and little else.
    if importlib.util.find_spec("psutil") is None:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    import psutil

    return psutil.virtual_memory().total


def _own_version() -> str:
    try:
        return metadata.version("infill-ls")
    except metadata.PackageNotFoundError:
        return "not installed"


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _commit() -> str:
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "unknown"
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return f"{head}+changes" if changed else head


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
