"""The VS Code extension as users get it: checked, bundled and packed from this checkout.

Knows nothing of the editor it is installed into.
"""

import hashlib
from functools import cache
from pathlib import Path

from filelock import FileLock

from ..system_packages import CACHE, NotInstallable
from .node import NpmFailed, run_npm

EXTENSION = Path(__file__).resolve().parents[2] / "editors" / "vscode"
_VSIX = EXTENSION / "dist" / "infill-ls.vsix"


@cache
def build_vsix() -> Path:
    """Return the packed extension, built now.

    Raises:
        NotInstallable: what it is built with cannot be had.
        NpmFailed: its types are wrong, or it cannot be bundled or packed.
    """
    with _lock():
        _install_dependencies()
        run_npm(EXTENSION, "run", "check")
        run_npm(EXTENSION, "run", "package")
    return _VSIX


def run_unit_tests() -> str:
    """Run the extension's own tests; returns what they said.

    Raises:
        NotInstallable: what it is built with cannot be had.
        NpmFailed: a test failed.
    """
    with _lock():
        _install_dependencies()
        return run_npm(EXTENSION, "test")


def _lock() -> FileLock:
    """Two runs in one checkout would write to the same folder."""
    CACHE.mkdir(parents=True, exist_ok=True)
    checkout = hashlib.sha256(str(EXTENSION).encode()).hexdigest()[:12]
    return FileLock(CACHE / f"extension-{checkout}.lock")


def _install_dependencies() -> None:
    installed = EXTENSION / "node_modules" / ".package-lock.json"
    wanted = EXTENSION / "package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < wanted.stat().st_mtime:
        try:
            run_npm(EXTENSION, "ci", "--no-progress")
        except NpmFailed as failed:
            raise NotInstallable(f"The extension cannot be built: {failed}") from failed
