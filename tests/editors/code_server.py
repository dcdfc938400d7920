"""The VS Code that tests drive: code-server at one version, installed by npm and kept.

Knows nothing of how it is started.
"""

import hashlib
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

from ..system_packages import CACHE, NotInstallable, ensure_debian_packages
from .node import NODE, NODE_VERSION, NpmFailed, run_npm

_MANIFEST = Path(__file__).parent / "vscode" / "code_server"
_MANIFEST_FILES = ("package.json", "package-lock.json", ".npmrc")
_PACKAGE = Path("node_modules") / "code-server"
_ADD_ONS = (
    "lib/vscode/node_modules/@vscode/native-watchdog/build/Release/watchdog.node",
    "lib/vscode/node_modules/@vscode/spdlog/build/Release/spdlog.node",
    "lib/vscode/node_modules/kerberos/build/Release/kerberos.node",
)
"""Built by install scripts, which npm may skip with no more than a warning."""


def ensure_code_server() -> Path:
    """Return code-server's entry script for `NODE`, after installing it where it isn't yet.

    Takes minutes and 620 MB the first time. Several processes may ask at once: one installs. An
    install that breaks off is never taken: it is made beside its place and renamed.

    Raises:
        NotInstallable: what it is built with is missing, or npm failed.
    """
    folder = CACHE / f"code-server-{_key()}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{folder.name}.lock"):
        if not folder.is_dir():
            _install(folder)
    return folder / _PACKAGE / "out" / "node" / "entry.js"


def _key() -> str:
    """Tell apart what was pinned, the Node it was built for and the machine's kind."""
    pinned = hashlib.sha256()
    for name in _MANIFEST_FILES:
        pinned.update((_MANIFEST / name).read_bytes())
    return f"{pinned.hexdigest()[:12]}-node-{NODE_VERSION}-{platform.machine()}"


def _install(folder: Path) -> None:
    ensure_debian_packages("libkrb5-dev", "pkg-config", "fonts-dejavu-core", "g++", "make")
    with tempfile.TemporaryDirectory(prefix="installing-", dir=CACHE) as temporary:
        building = Path(temporary) / "tree"
        building.mkdir()
        for name in _MANIFEST_FILES:
            shutil.copy(_MANIFEST / name, building)
        try:
            run_npm(building, "ci", "--no-progress")
        except NpmFailed as failed:
            raise NotInstallable(f"code-server was not installed: {failed}") from failed
        _check(building / _PACKAGE)
        building.rename(folder)


def _check(package: Path) -> None:
    missing = [name for name in _ADD_ONS if not (package / name).is_file()]
    if missing:
        raise NotInstallable(
            f"npm skipped code-server's install scripts: {missing[0]} was not built. Allow them in "
            f"{_MANIFEST.name}/package.json under allowScripts."
        )
    entry = package / "out" / "node" / "entry.js"
    run = subprocess.run([NODE, entry, "--version"], capture_output=True, text=True, timeout=120)
    if run.returncode != 0:
        raise NotInstallable(f"code-server does not start: {run.stderr.strip()[-500:]}")
