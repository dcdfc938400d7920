"""The user's choice of engine: a TOML file in the user's configuration folder.

    model = "embedded"            # or a model's folder, absolute or from ~
    device = "auto"               # cpu, cuda, cuda:1
    num_threads = 2               # CPU threads of the model; left out, the engine chooses
    max_context_tokens = 512      # prompt tokens kept; left out, as many as the model is used to
    idle_exit_minutes = 30        # 0 never
    url = "https://host:port"     # an engine elsewhere; then the keys above are not used
    token = "..."                 # better: `infill-ls engine login`, or the next line
    token_env = "TEAM_TOKEN"      # name of an environment variable that holds the token
    ca_file = "~/team-ca.pem"     # who may vouch for the server, instead of the public authorities
    kind = "openai"               # that engine is a server that speaks OpenAI's HTTP API
    server_model = "name"         # which of its models; left out, the only one

Read by everyone who starts an engine; written by `infill-ls model use`. Knows no editor's
settings.
"""

import contextlib
import json
import os
import re
import tempfile
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from infill_engine.api import ConfigError

CONFIG_DIR_VARIABLE = "INFILL_LS_CONFIG_DIR"
"""Environment variable that names another configuration folder."""

_TYPES: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "device": (str,),
    "dtype": (str,),
    "kv_cache": (str,),
    "num_threads": (int,),
    "max_context_tokens": (int,),
    "idle_exit_minutes": (int, float),
    "kind": (str,),
    "url": (str,),
    "server_model": (str,),
    "token": (str,),
    "token_env": (str,),
    "ca_file": (str,),
}
KINDS = ("infill", "openai")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which engine to use, and how to start one when none runs.

    Attributes:
        model: "embedded" or a model's folder.
        device: "auto", "cpu", "cuda" or "cuda:1".
        dtype: "auto", "float32", "bfloat16"; on a CPU also "int8", on a GPU "fp8" and "int4".
        kv_cache: "auto" or, on a GPU, "fp8".
        num_threads: CPU threads of the model; None lets the engine choose.
        max_context_tokens: prompt tokens kept; None takes the model's own number.
        idle_exit_minutes: minutes without a request after which the engine ends; 0 never.
        kind: "infill", an engine of this package, or "openai", a server with OpenAI's HTTP API.
        url: an engine elsewhere; empty finds or starts one on this machine.
        server_model: the model's name on a server of kind "openai"; empty takes the only one.
        token: bearer token of the engine at `url`; when empty, see `credentials.find_token`.
        token_env: name of the environment variable that holds the token.
        ca_file: PEM file of who may vouch for `url`, instead of the public authorities.
        command: program and arguments that start an engine; empty runs this package's.
    """

    model: str = "embedded"
    device: str = "auto"
    dtype: str = "auto"
    kv_cache: str = "auto"
    num_threads: int | None = None
    max_context_tokens: int | None = None
    idle_exit_minutes: float = 30.0
    kind: str = "infill"
    url: str = ""
    server_model: str = ""
    token: str = field(default="", repr=False)
    token_env: str = ""
    ca_file: str = ""
    command: tuple[str, ...] = ()


def settings_file() -> Path:
    """Return the path of the settings file, which need not exist."""
    named = os.environ.get(CONFIG_DIR_VARIABLE, "")
    return (Path(named) if named else user_config_path("infill-ls")) / "config.toml"


def read_settings() -> EngineSettings:
    """Return the user's settings; the defaults when there is no file.

    Raises:
        ConfigError: the file is not TOML, or has an unknown key or a value of another type.
    """
    path = settings_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return EngineSettings()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The settings file {path} cannot be read ({error}).") from None
    return EngineSettings(**_parse(text, path))


def choose_model(model: str) -> Path:
    """Store `model` as the user's choice, keeping the rest of the file; return the file's path.

    Raises:
        ConfigError: the file is not ours to understand, or cannot be written.
    """
    path = settings_file()
    # A JSON string is a TOML basic string.
    line = f"model = {json.dumps(model)}\n"
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        _parse(text, path)
        new_text, num_found = re.subn(r"(?m)^\s*model\s*=.*\n?", lambda _match: line, text)
        new_text = new_text if num_found else line + text
        _parse(new_text, path)
        handle, temporary = tempfile.mkstemp(prefix="config-", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(new_text)
        Path(temporary).replace(path)
    except (OSError, UnicodeDecodeError) as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
        raise ConfigError(f"The settings file {path} cannot be written ({error}).") from None
    return path


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The settings file {path} is not valid TOML: {error}.") from None
    known = [f.name for f in fields(EngineSettings) if f.name in _TYPES]
    for name, value in values.items():
        if name not in known:
            raise ConfigError(
                f"The settings file {path} has the unknown key {name!r}; "
                f"allowed are {', '.join(known)}."
            )
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            allowed = {(str,): "a string", (int,): "a whole number"}.get(_TYPES[name], "a number")
            got = "of another type" if name == "token" else repr(value)
            raise ConfigError(f"In {path}, {name} is {got}; it must be {allowed}.")
    if (kind := values.get("kind", "infill")) not in KINDS:
        raise ConfigError(f"In {path}, kind is {kind!r}; allowed are {', '.join(KINDS)}.")
    model = values.get("model", "embedded")
    # The engine's process runs in a folder of its own: a relative path would mean another place.
    if model != "embedded" and not Path(model).expanduser().is_absolute():
        raise ConfigError(
            f"In {path}, model is {model!r}; it must be 'embedded' or a folder's absolute path. "
            "`infill-ls model use` finds and stores it."
        )
    return values
