"""The one schema of all settings: name, meaning, range, default, and who may set it.

Everything else is derived from it: reading, messages, docs/settings.md, the JSON schema of
`.infill.toml` and VS Code's settings. Knows nothing of files or clients.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

ModePolicy = Literal["auto", "line", "block"]
EngineKind = Literal["infill", "openai"]
LogLevel = Literal["off", "error", "info", "debug"]
ProjectRight = Literal["never", "trusted", "stricter"]
"""What `.infill.toml` may do with a setting: nothing; set it in a trusted workspace; besides that,
make it stricter in any workspace."""

MAX_PATTERNS = 500
MAX_PATTERN_CHARS = 200
"""Far more than anyone writes by hand; every document's path is matched against all of them."""


@dataclass(frozen=True, slots=True)
class SettingRule:
    """What the schema says of a setting beyond its type.

    Attributes:
        key: its name in JSON and TOML, with a dot for each level.
        project: what a project's file may do with it.
        per_document: whether two documents of one editor can have different values.
        adds_up: whether a list is joined from all sources, so that none takes away what another
            left out.
        allowed: what values are allowed, in words, where type and range do not say it.
        instead: what to do instead of setting it in a project's file, for what no project may set.
    """

    key: str
    project: ProjectRight
    per_document: bool
    adds_up: bool = False
    allowed: str = ""
    instead: str = ""


def _setting(
    key: str,
    default: object,
    description: str,
    *,
    project: ProjectRight = "trusted",
    per_document: bool = True,
    adds_up: bool = False,
    allowed: str = "",
    instead: str = "",
    **limits: Any,
) -> Any:
    rule = SettingRule(key, project, per_document, adds_up, allowed, instead)
    info = Field(default, validation_alias=key, description=description, **limits)
    info.metadata.append(rule)
    return info


def _without_last_slash(value: str) -> str:
    return value.rstrip("/")


def _check_path(value: str) -> str:
    if value and not Path(value).expanduser().is_absolute():
        raise ValueError
    return value


# A pattern that starts with "!" would take back what another one, or another source, leaves out; so
# would one behind a line break.
_Pattern = Annotated[
    str,
    Field(
        max_length=MAX_PATTERN_CHARS,
        pattern=r"^([ \t]*[^!\s\x00-\x1f][^\x00-\x1f\x7f\x85\u2028\u2029]*)?$",
    ),
]


class ServerSettings(BaseModel):
    """What a user can choose; each field's description is the documentation. Immutable."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
    )

    enabled: bool = _setting(
        "enabled", True, "Whether anything is suggested at all.", project="stricter"
    )
    disabled_languages: frozenset[str] = _setting(
        "disabledLanguages",
        frozenset(),
        "LSP language identifiers in which nothing is suggested; the project's and the editor's "
        "add up.",
        project="stricter",
        adds_up=True,
        allowed='a list of language identifiers, such as ["markdown"]',
        strict=False,
    )
    mode: ModePolicy = _setting(
        "mode",
        "auto",
        'How much is suggested: "line" to the line\'s end, "block" whole blocks, "auto" a block in '
        "an empty body and a line elsewhere.",
    )
    deadline_ms: int = _setting(
        "deadlineMs",
        3000,
        "Milliseconds after which only the text that has settled so far is suggested.",
        ge=50,
        le=60_000,
    )
    line_max_tokens: int = _setting(
        "lineMaxTokens", 48, "Longest line suggested, in tokens.", ge=1, le=256
    )
    block_max_tokens: int = _setting(
        "blockMaxTokens", 128, "Longest block suggested, in tokens.", ge=1, le=1024
    )
    min_confidence: float = _setting(
        "minConfidence",
        0.5,
        "Probability that what is suggested while typing is right; what the model is less sure of "
        "is left out. 0 shows everything, and so does asking by hand.",
        ge=0,
        le=1,
    )
    max_document_chars: int = _setting(
        "maxDocumentChars",
        2_000_000,
        "Longest document, in characters, in which anything is suggested.",
        ge=1000,
        le=50_000_000,
    )
    seed: int = _setting("seed", 0, "Same seed, same text.", ge=0, le=2**31 - 1)
    engine_kind: EngineKind = _setting(
        "engine.kind",
        "infill",
        'What answers at engine.url: "infill" is an engine of infill-ls, "openai" a server that '
        "speaks OpenAI's HTTP API, such as vLLM, SGLang, llama.cpp's or Ollama (docs/remote.md).",
        per_document=False,
    )
    engine_url: Annotated[str, AfterValidator(_without_last_slash)] = _setting(
        "engine.url",
        "",
        "Address of an engine elsewhere, which is sent the code around the cursor; empty starts "
        "and shares the local one (docs/remote.md).",
        per_document=False,
        allowed='"" or an address that starts with http:// or https://',
        pattern=r"^(https?://\S+)?$",
        max_length=2000,
    )
    engine_model: str = _setting(
        "engine.model",
        "",
        'Name of the model on a server whose engine.kind is "openai"; empty takes the only one it '
        "has.",
        per_document=False,
        max_length=500,
    )
    engine_token_env: str = _setting(
        "engine.tokenEnv",
        "",
        "Name of the environment variable that holds the token for engine.url; empty takes the one "
        "that `infill-ls engine login` stored in the keyring. Not read for an address that a "
        "project's file names.",
        project="never",
        per_document=False,
        allowed='"" or the name of an environment variable',
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
        max_length=200,
    )
    engine_ca_file: Annotated[str, AfterValidator(_check_path)] = _setting(
        "engine.caFile",
        "",
        "File with the certificates, in PEM, of who may vouch for the server at engine.url, "
        "instead of the public authorities.",
        project="never",
        per_document=False,
        allowed='"" or an absolute path',
        max_length=4096,
    )
    engine_token: str = _setting(
        "engine.token",
        "",
        "Bearer token of the engine at engine.url, in plain text; better are the keyring and "
        "engine.tokenEnv. Never sent to an address that a project's file names.",
        project="never",
        instead="Store it with `infill-ls engine login`, or name the environment variable that "
        "holds it in the editor's engine.tokenEnv. If the file was shared, have the token revoked.",
        per_document=False,
        max_length=10_000,
        repr=False,
    )
    debounce_min_ms: int = _setting(
        "debounce.minMs",
        0,
        "Shortest wait after a keystroke, in milliseconds, before the engine is asked.",
        ge=0,
        le=5000,
    )
    debounce_max_ms: int = _setting(
        "debounce.maxMs",
        300,
        "Longest wait after a keystroke, in milliseconds, before the engine is asked; between the "
        "two it follows how fast you type. 0 never waits.",
        ge=0,
        le=5000,
    )
    in_comments: bool = _setting("inComments", False, "Whether to suggest inside comments.")
    in_strings: bool = _setting("inStrings", False, "Whether to suggest inside string literals.")
    after_deletion: bool = _setting(
        "afterDeletion", False, "Whether to suggest right after text was deleted."
    )
    speculate: bool = _setting(
        "speculate",
        True,
        "Whether the next gap is filled ahead while a suggestion is being read.",
    )
    reuse_typed: bool = _setting(
        "reuseTyped",
        True,
        "Whether typing what is suggested keeps the rest, without asking the engine again.",
    )
    exclude: tuple[_Pattern, ...] = _setting(
        "exclude",
        (),
        "Files in which nothing is suggested and which are never context, as patterns of "
        ".gitignore relative to the workspace folder. They are added to the built-in list of "
        "secret files; the project's and the editor's add up.",
        project="stricter",
        adds_up=True,
        allowed=f"a list of up to {MAX_PATTERNS} patterns of at most {MAX_PATTERN_CHARS} "
        'characters, none starting with "!", such as ["*.sql", "/private/"]',
        strict=False,
        max_length=MAX_PATTERNS,
    )
    use_gitignore: bool = _setting(
        "useGitignore",
        True,
        "Whether files that .gitignore names are left out too.",
    )
    completion_fallback: bool = _setting(
        "completionFallback",
        False,
        "Whether suggestions are also offered in the completion menu (textDocument/completion), "
        "for editors without inline completions.",
        per_document=False,
    )
    rewrite_max_tokens: int = _setting(
        "rewrite.maxTokens",
        512,
        "Longest text that a selection is rewritten to, in tokens.",
        ge=1,
        le=1024,
    )
    context_max_tokens: int = _setting(
        "context.maxTokens",
        1024,
        "Tokens of definitions and other context offered to the engine beside the text around the "
        "cursor; the engine keeps what it has room for.",
        ge=0,
        le=32_768,
    )
    context_other_files: bool = _setting(
        "context.otherFiles",
        True,
        "Whether other open files may be context.",
    )
    record: Annotated[str, AfterValidator(_check_path)] = _setting(
        "record",
        "",
        "File to which edits and requests are written, code included, for a bug report; empty "
        "writes nothing.",
        project="never",
        per_document=False,
        allowed='"" or an absolute path',
        max_length=4096,
    )
    log_level: LogLevel = _setting(
        "log.level",
        "off",
        "What is written to stderr; of this and --log-level the more talkative counts. Code is "
        "never logged.",
        project="never",
        per_document=False,
    )

    @property
    def engine_choice(self) -> tuple[str, ...]:
        """All that says which engine is used and how it is reached."""
        return (
            self.engine_kind,
            self.engine_url,
            self.engine_model,
            self.engine_token,
            self.engine_token_env,
            self.engine_ca_file,
        )


def _rule_of(info: FieldInfo) -> SettingRule:
    return next(item for item in info.metadata if isinstance(item, SettingRule))


RULES = {name: _rule_of(info) for name, info in ServerSettings.model_fields.items()}
"""Attribute name → rule, in the order of the schema."""
NAMES = {rule.key: name for name, rule in RULES.items()}
"""JSON key → attribute name."""
KNOWN_KEYS = tuple(NAMES)
