"""Programs that tests need and that only the system's package manager has.

They are installed where that needs nobody's password: as root on Debian, as in CI. Elsewhere the
tests that need them are skipped, and say what to install.
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "infill-ls-tests"
"""What is costly to install and the same for every clone: kept between runs, safe to delete."""


class NotInstallable(Exception):
    """A program cannot be had here; the message says what is missing and how to get it."""


def ensure_program(program: str, *packages: str) -> Path:
    """Return where `program` is, after installing Debian's `packages` if it is missing.

    Raises:
        NotInstallable: it is missing and cannot be installed.
    """
    if shutil.which(program) is None:
        ensure_debian_packages(*packages)
    found = shutil.which(program)
    if found is None:
        raise NotInstallable(f"{program} is missing although {' '.join(packages)} is installed")
    return Path(found)


def ensure_debian_packages(*packages: str) -> None:
    """Install what is missing of `packages`.

    Raises:
        NotInstallable: not Debian, not root, or apt failed; the message has apt's last line.
    """
    missing = [package for package in packages if not _is_installed(package)]
    if not missing:
        return
    wanted = "apt-get install --no-install-recommends " + " ".join(missing)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise NotInstallable(f"missing here; on Debian, as root: {wanted}")
    _update_lists()
    _apt_get("install", "--yes", "--no-install-recommends", *missing)


def _is_installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True).stdout == "installed"


@cache
def _update_lists() -> None:
    _apt_get("update", "--quiet")


def _apt_get(*arguments: str) -> None:
    run = subprocess.run(
        ["apt-get", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if run.returncode != 0:
        last = (run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]
        raise NotInstallable(f"apt-get {arguments[0]} failed: {' '.join(last)}")
