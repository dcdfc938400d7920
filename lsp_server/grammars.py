"""Loads tree-sitter grammars, each on first use: a session meets few languages, and loading costs.

Knows which grammar reads which LSP language identifier, and nothing of what the nodes mean.
"""

import importlib
from functools import cache

from tree_sitter import Language, Parser

_PLAIN = "language"
GRAMMARS: dict[str, tuple[str, str]] = {
    "bash": ("tree_sitter_bash", _PLAIN),
    "c": ("tree_sitter_c", _PLAIN),
    "cpp": ("tree_sitter_cpp", _PLAIN),
    "csharp": ("tree_sitter_c_sharp", _PLAIN),
    "css": ("tree_sitter_css", _PLAIN),
    "go": ("tree_sitter_go", _PLAIN),
    "html": ("tree_sitter_html", _PLAIN),
    "java": ("tree_sitter_java", _PLAIN),
    "javascript": ("tree_sitter_javascript", _PLAIN),
    "json": ("tree_sitter_json", _PLAIN),
    "lua": ("tree_sitter_lua", _PLAIN),
    "markdown": ("tree_sitter_markdown", _PLAIN),
    "php": ("tree_sitter_php", "language_php"),
    "python": ("tree_sitter_python", _PLAIN),
    "ruby": ("tree_sitter_ruby", _PLAIN),
    "rust": ("tree_sitter_rust", _PLAIN),
    "sql": ("tree_sitter_sql", _PLAIN),
    "toml": ("tree_sitter_toml", _PLAIN),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "yaml": ("tree_sitter_yaml", _PLAIN),
}
"""Grammar name → the module that holds it and the function that gives it."""

ALIASES = {
    "c++": "cpp",
    "cuda-cpp": "cpp",
    "c#": "csharp",
    "cs": "csharp",
    "dockercompose": "yaml",
    "golang": "go",
    "javascript.jsx": "javascript",
    "javascriptreact": "javascript",
    "js": "javascript",
    "json5": "json",
    "jsonc": "json",
    "jsonl": "json",
    "jsx": "javascript",
    "md": "markdown",
    "mysql": "sql",
    "postgres": "sql",
    "py": "python",
    "rb": "ruby",
    "rs": "rust",
    "sh": "bash",
    "shell": "bash",
    "shellscript": "bash",
    "ts": "typescript",
    "typescript.tsx": "tsx",
    "typescriptreact": "tsx",
    "zsh": "bash",
}
"""What else editors call a language: VS Code's identifiers, and Neovim's and Emacs' own."""


def grammar_name(language_id: str) -> str | None:
    """Return the name of the grammar for an LSP language identifier; None when there is none."""
    name = ALIASES.get(language_id, language_id)
    return name if name in GRAMMARS else None


def parser_for(language_id: str) -> Parser | None:
    """Return a new parser for an LSP language identifier; None when there is no grammar.

    A parser keeps an interrupted parse, so each document needs its own. Making one takes
    microseconds once the grammar is loaded.
    """
    name = grammar_name(language_id)
    if name is None:
        return None
    language = _load(name)
    return Parser(language) if language else None


@cache
def _load(name: str) -> Language | None:
    module_name, function_name = GRAMMARS[name]
    try:
        return Language(getattr(importlib.import_module(module_name), function_name)())
    except (ImportError, AttributeError, ValueError):
        # A wheel that is missing or too new for the library: the language is plain text then.
        return None
