"""The plugin's Lua as luacheck and StyLua want it; `npm` and Debian have them."""

import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from ..node import NODE, run_npm
from ..system_packages import CACHE, NotInstallable, ensure_program
from .driver import PLUGIN

pytestmark = pytest.mark.e2e

_STYLUA = "@johnnymorganz/stylua@2.5.2"
_FORMAT = Path(__file__).with_name("format_lua.mjs")


def test_luacheck_finds_nothing() -> None:
    try:
        luacheck = ensure_program("luacheck", "lua-check")
    except NotInstallable as why:
        pytest.skip(str(why))
    config = PLUGIN / ".luacheckrc"
    command = [luacheck, "--no-color", "--quiet", "--config", config, PLUGIN]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_stylua_would_change_nothing() -> None:
    folder = CACHE / "stylua-2.5.2"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "install.lock"):  # several test runs may share the cache
            if not (folder / "node_modules/@johnnymorganz/stylua/package.json").exists():
                run_npm(folder, "install", "--no-audit", "--no-fund", "--prefix", ".", _STYLUA)
    except NotInstallable as why:
        pytest.skip(str(why))
    files = sorted(PLUGIN.rglob("*.lua"))
    assert len(files) > 20
    run = subprocess.run([NODE, _FORMAT, folder, *files], capture_output=True, text=True)
    assert run.returncode == 0, (
        f"to be formatted: {run.stdout}{run.stderr}\n"
        f"node {_FORMAT.name} {folder} --write FILE... does it"
    )
