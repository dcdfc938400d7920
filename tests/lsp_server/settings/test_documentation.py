"""What is written from the schema is up to date, and says of each setting what it must."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_server.settings.__main__ import ROOT, generated_files
from lsp_server.settings.documentation import project_file_schema, vscode_manifest
from lsp_server.settings.schema import KNOWN_KEYS, NAMES, RULES

REPOSITORY = Path(__file__).parents[3]
MANIFEST = json.loads((REPOSITORY / "editors/vscode/package.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", generated_files(), ids=str)
def test_the_committed_files_are_up_to_date(path: Path) -> None:
    assert (REPOSITORY / path).read_text(encoding="utf-8") == generated_files()[path], (
        "run `python -m lsp_server.settings --write`"
    )


def test_the_files_are_those_of_this_repository() -> None:
    assert ROOT == REPOSITORY


@pytest.mark.parametrize("key", KNOWN_KEYS)
def test_every_setting_is_documented(key: str) -> None:
    table = (REPOSITORY / "docs/settings.md").read_text(encoding="utf-8")
    (row,) = [line for line in table.splitlines() if line.startswith(f"| `{key}` |")]
    assert row.replace("\\|", "").count("|") == 6
    property_ = MANIFEST["contributes"]["configuration"]["properties"][f"infill.{key}"]
    assert property_["description"].endswith(".")
    assert {"default", "type", "scope"} <= set(property_)


@pytest.mark.parametrize("key", KNOWN_KEYS)
def test_the_projects_schema_has_what_a_project_may_set(key: str) -> None:
    table = project_file_schema()
    *parents, last = key.split(".")
    for parent in parents:
        table = table["properties"].get(parent, {"properties": {}})
    assert (last in table["properties"]) == (RULES[NAMES[key]].project != "never")


def test_vs_code_does_not_take_from_an_untrusted_workspace() -> None:
    restricted = MANIFEST["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    properties = MANIFEST["contributes"]["configuration"]["properties"]
    assert set(restricted) == set(properties)
    private = {key for key, property_ in properties.items() if property_["scope"] == "machine"}
    assert private >= {"infill.engine.url", "infill.engine.token", "infill.record"}
    assert "infill.server.command" in private


def test_what_is_not_the_schemas_stays() -> None:
    properties = {"infill.server.command": {"type": "array"}, "infill.gone": {}}
    manifest = {
        "name": "a",
        "capabilities": {"untrustedWorkspaces": {"supported": "limited"}},
        "contributes": {"commands": [1], "configuration": {"title": "b", "properties": properties}},
    }
    written = vscode_manifest(manifest)
    assert written["name"] == "a"
    assert written["contributes"]["commands"] == [1]
    configuration = written["contributes"]["configuration"]
    assert configuration["title"] == "b"
    assert configuration["properties"]["infill.server.command"] == {"type": "array"}
    assert "infill.gone" not in configuration["properties"]
    assert written["capabilities"]["untrustedWorkspaces"]["supported"] == "limited"


@pytest.mark.parametrize(("option", "start"), [("--markdown", "# Settings"), ("--schema", "{")])
def test_the_command_prints(option: str, start: str) -> None:
    command = [sys.executable, "-m", "lsp_server.settings", option]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert run.stdout.startswith(start)
