"""The LSP language identifier of a file, from its name. Knows nothing of contents."""

import os
from pathlib import Path

_LANGUAGE_OF_SUFFIX = {
    ".c": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cs": "csharp",
    ".css": "css",
    ".cts": "typescript",
    ".cjs": "javascript",
    ".go": "go",
    ".h": "c",
    ".hpp": "cpp",
    ".html": "html",
    ".java": "java",
    ".js": "javascript",
    ".json": "json",
    ".jsx": "javascriptreact",
    ".kt": "kotlin",
    ".lua": "lua",
    ".md": "markdown",
    ".mjs": "javascript",
    ".mts": "typescript",
    ".php": "php",
    ".py": "python",
    ".pyi": "python",
    ".rb": "ruby",
    ".rs": "rust",
    ".sh": "shellscript",
    ".sql": "sql",
    ".swift": "swift",
    ".toml": "toml",
    ".ts": "typescript",
    ".tsx": "typescriptreact",
    ".yaml": "yaml",
    ".yml": "yaml",
}


def language_of(path: Path) -> str:
    """Return the language identifier, empty when the name does not tell."""
    return _LANGUAGE_OF_SUFFIX.get(path.suffix.lower(), "")


def shown_path(path: Path) -> str:
    """Return the path to tell the model: relative to the current folder, else the bare name.

    Bytes of a name that are not UTF-8 become U+FFFD, since the request must be valid Unicode.
    """
    absolute = path.resolve()
    folder = Path.cwd().resolve()
    is_inside = absolute.is_relative_to(folder)
    shown = absolute.relative_to(folder).as_posix() if is_inside else absolute.name
    return os.fsencode(shown).decode("utf-8", "replace")
