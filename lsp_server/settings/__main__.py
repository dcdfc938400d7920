"""`python -m lsp_server.settings`: prints what documents the settings, or writes it anew.

Knows nothing of what is in the files.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsp_server.settings.documentation import (
    project_file_schema,
    settings_markdown,
    vscode_keys,
    vscode_manifest,
)

ROOT = Path(__file__).parents[2]
VSCODE = Path("editors") / "vscode"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lsp_server.settings", description="Print or write what documents settings."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--markdown", action="store_true", help="print the table of settings")
    what.add_argument("--schema", action="store_true", help="print .infill.toml's JSON schema")
    what.add_argument("--write", action="store_true", help="write the repository's files anew")
    arguments = parser.parse_args(argv)
    if arguments.markdown:
        sys.stdout.write(settings_markdown())
    elif arguments.schema:
        sys.stdout.write(_as_json(project_file_schema()))
    else:
        for path, text in generated_files().items():
            (ROOT / path).write_text(text, encoding="utf-8")
    return 0


def generated_files() -> dict[Path, str]:
    """Return the text of each file written from the schema, by its path in the repository.

    Raises:
        OSError: VS Code's package.json, which is only partly written, can not be read.
    """
    manifest = json.loads((ROOT / VSCODE / "package.json").read_text(encoding="utf-8"))
    return {
        Path("docs/settings.md"): settings_markdown(),
        Path("docs/infill.schema.json"): _as_json(project_file_schema()),
        VSCODE / "package.json": _as_json(vscode_manifest(manifest)),
        VSCODE / "src" / "serverSettings.ts": vscode_keys(),
    }


def _as_json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
