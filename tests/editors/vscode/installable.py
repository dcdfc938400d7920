"""This checkout as pip installs it without a network: its source, and what it needs as one wheel.

Knows nothing of the editor that has it installed.
"""

import shutil
import sysconfig
import zipfile
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[3]
_WITH_PACKAGES = (
    "kernels",
    "infill_*",
    "lsp_server",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)
_NAME, _VERSION = "what_the_tests_have", "1"


def write_source(folder: Path) -> Path:
    """Copy what a wheel of the project is made from: building it leaves no trace here."""
    for pattern in _WITH_PACKAGES:
        for path in _CHECKOUT.glob(pattern):
            if path.name.endswith(".egg-info"):
                continue
            if path.is_dir():
                leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
                shutil.copytree(path, folder / path.name, ignore=leave_out)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder)
    return folder


def write_wheel_of_installed_packages(folder: Path) -> Path:
    """Write a wheel that lends an environment the packages of the one that the tests run in.

    So an install takes seconds, not minutes and 200 MB, and is the real one but for its downloads.
    """
    wheel = folder / f"{_NAME}-{_VERSION}-py3-none-any.whl"
    info = f"{_NAME}-{_VERSION}.dist-info"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr(f"{_NAME}.pth", f"{sysconfig.get_path('purelib')}\n")
        packed.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {_NAME}\nVersion: {_VERSION}\n"
        )
        packed.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr(f"{info}/RECORD", "")
    return wheel
