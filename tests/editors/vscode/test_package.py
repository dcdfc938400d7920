"""The extension's own tests, and what its package holds."""

import json
import zipfile
from pathlib import Path

from ...installed import installed_or_skip
from ..extension import run_unit_tests

MAX_VSIX_BYTES = 400_000


def test_the_extensions_own_tests_pass() -> None:
    said = installed_or_skip(run_unit_tests)
    counts = {
        words[1]: int(words[2])
        for words in (line.split() for line in said.splitlines())
        if len(words) == 3 and words[0] in ("ℹ", "#") and words[2].isdigit()
    }
    assert counts["tests"] > 0
    assert counts["pass"] == counts["tests"]


def test_the_package_is_small_and_holds_what_runs_and_nothing_else(vsix: Path) -> None:
    assert vsix.stat().st_size < MAX_VSIX_BYTES
    with zipfile.ZipFile(vsix) as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("extension/package.json"))
    assert f"extension/{manifest['main'].removeprefix('./')}" in names
    foreign = ("node_modules", "src/", "test/", ".ts", ".map", ".env")
    assert [name for name in names if any(each in name for each in foreign)] == []
    shown_as = manifest.get("icon")
    assert shown_as is None or f"extension/{shown_as}" in names
