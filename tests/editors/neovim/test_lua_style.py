"""The plugin's Lua as luacheck and StyLua want it; `npm` and Debian have them."""

import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from ...installed import installed_or_skip
from ...system_packages import CACHE, NotInstallable, ensure_program
from ..node import NODE, NpmFailed, run_npm
from .driver import PLUGIN

pytestmark = pytest.mark.e2e

_STYLUA = "@johnnymorganz/stylua@2.5.2"
_FORMAT = Path(__file__).with_name("format_lua.mjs")


def test_luacheck_finds_nothing() -> None:
    luacheck = installed_or_skip(lambda: ensure_program("luacheck", "lua-check"))
    config = PLUGIN / ".luacheckrc"
    command = [luacheck, "--no-color", "--quiet", "--config", config, PLUGIN]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_stylua_would_change_nothing() -> None:
    folder = installed_or_skip(_installed_stylua)
    files = sorted(PLUGIN.rglob("*.lua"))
    assert len(files) > 20
    run = subprocess.run([NODE, _FORMAT, folder, *files], capture_output=True, text=True)
    assert run.returncode == 0, (
        f"to be formatted: {run.stdout}{run.stderr}\n"
        f"node {_FORMAT.name} {folder} --write FILE... does it"
    )


def _installed_stylua() -> Path:
    folder = CACHE / "stylua-2.5.2"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "install.lock"):  # several test runs may share the cache
        if not (folder / "node_modules/@johnnymorganz/stylua/package.json").exists():
            try:
                run_npm(folder, "install", "--no-audit", "--no-fund", "--prefix", ".", _STYLUA)
            except NpmFailed as failed:
                raise NotInstallable(f"StyLua was not installed: {failed}") from failed
    return folder
