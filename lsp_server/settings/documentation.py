"""What is written from the schema: the table of settings, a JSON schema, and VS Code's settings.

`python -m lsp_server.settings --write` writes the files. Knows nothing of where a setting's value
comes from.
"""

import json
from typing import Any

from lsp_server.settings.project_file import FILE_NAME
from lsp_server.settings.reading import allowed_values
from lsp_server.settings.schema import NAMES, RULES, ServerSettings, SettingRule

_INTRODUCTION = f"""# Settings

Written by `python -m lsp_server.settings --write` from the schema in `lsp_server/settings/`; do not
edit.

Where they can be set; later ones win:

1. `{FILE_NAME}` in the project's folder, for everyone who works on it;
2. the editor's `initializationOptions`;
3. the editor's configuration, section `infill`: as it sends it (`workspace/didChangeConfiguration`)
   or as it is asked for it (`workspace/configuration`), also for each document.

Everywhere the names are the same, nested (`{{"engine": {{"url": "..."}}}}`), with dots
(`{{"engine.url": "..."}}`) or all under `infill`. A wrong or unknown entry is reported by name, and
the others still work. With several workspace folders, a document's own folder has its say; for what
there can be only one of (`engine.url`, `completionFallback`) it is the first folder. Which model
runs is not set here but with `infill-ls model use`.

**Trust.** `{FILE_NAME}` comes with the code. Unless the editor gives
`"workspaceTrusted": true` in its initialization options, the file can only make the server do less:
switch it off, or leave out more languages and files. Why:
[decision 0028](decisions/0028_project_settings_and_trust.md).

"""
_EXAMPLE = f"""
An example of `{FILE_NAME}`; [infill.schema.json](infill.schema.json) is its JSON schema, for
editors that check TOML:

```toml
disabledLanguages = ["markdown"]
exclude = ["*.sql", "/private/"]
deadlineMs = 2000

[context]
otherFiles = false
```
"""
_PROJECT_WORDS = {
    "never": "no",
    "trusted": "if trusted",
    "stricter": "if trusted, else only to do less",
}


def settings_markdown() -> str:
    """Return docs/settings.md."""
    rows = [
        f"| setting | default | values | meaning | in `{FILE_NAME}` |",
        "|---|---|---|---|---|",
    ]
    for key, rule, schema in _settings():
        cells = (
            f"`{key}`",
            f"`{json.dumps(schema['default'])}`",
            allowed_values(key),
            schema["description"],
            _PROJECT_WORDS[rule.project],
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return _INTRODUCTION + "\n".join(rows) + "\n" + _EXAMPLE


def project_file_schema() -> dict[str, Any]:
    """Return the JSON schema of `.infill.toml`: what a trusted project may set."""
    root: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"{FILE_NAME}, the settings of infill-ls for a project",
        **_table(),
    }
    for key, rule, schema in _settings():
        if rule.project == "never":
            continue
        *parents, last = key.split(".")
        table = root
        for parent in parents:
            table = table["properties"].setdefault(parent, _table())
        table["properties"][last] = schema
    return root


def vscode_manifest(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return VS Code's package.json with the settings of the server as the schema has them.

    Those under "infill.server.", which say how the server is started, stay as they are.
    """
    configuration = manifest["contributes"]["configuration"]
    own = {k: v for k, v in configuration["properties"].items() if k.startswith("infill.server.")}
    properties = dict(own)
    for key, rule, schema in _settings():
        # "machine": not in the settings of a workspace, which can come with the code.
        is_private = rule.project == "never" or key.startswith("engine.")
        scope = "machine" if is_private else "resource" if rule.per_document else "window"
        properties[f"infill.{key}"] = {**schema, "scope": scope}
    trust = {
        **manifest["capabilities"]["untrustedWorkspaces"],
        # All: VS Code can not tell a workspace's setting that is stricter from one that is not.
        "restrictedConfigurations": list(properties),
    }
    return {
        **manifest,
        "capabilities": {**manifest["capabilities"], "untrustedWorkspaces": trust},
        "contributes": {
            **manifest["contributes"],
            "configuration": {**configuration, "properties": properties},
        },
    }


def vscode_keys() -> str:
    """Return serverSettings.ts of VS Code's extension: the names that the server is told."""
    names = "".join(f'  "{key}",\n' for key in NAMES)
    return (
        "// Written by `python -m lsp_server.settings --write` from its schema; do not edit.\n"
        "\n/** What the server is told, without the `infill.` of VS Code's names. */\n"
        f"export const SERVER_SETTINGS = [\n{names}] as const;\n"
    )


def _settings() -> list[tuple[str, SettingRule, dict[str, Any]]]:
    """Return key, rule and JSON schema of each setting."""
    properties = ServerSettings.model_json_schema()["properties"]
    return [
        (rule.key, rule, {k: v for k, v in properties[rule.key].items() if k != "title"})
        for rule in RULES.values()
    ]


def _table() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}
