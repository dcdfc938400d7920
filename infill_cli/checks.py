"""The checks of `infill-ls doctor`, each a small function that returns what it found.

No check raises, and none imports torch into this process. Knows nothing of how findings are
shown.
"""

import json
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata, util
from typing import Literal

from infill_cli.model_command import describe_briefly
from infill_cli.model_folder import folder_of, read_model_facts
from infill_client.settings import EngineSettings, read_settings, settings_file
from infill_engine.api import ConfigError, InfillError
from lsp_server.grammars import GRAMMARS

Level = Literal["ok", "note", "broken"]

_EDITORS = {
    "code": "Visual Studio Code",
    "codium": "VSCodium",
    "nvim": "Neovim",
    "hx": "Helix",
    "zed": "Zed",
    "emacs": "Emacs",
}
_TORCH_PROBE = """
import json, torch
from importlib.util import find_spec
from infill_engine.config import EngineConfig
has_gpu = torch.cuda.is_available()
print(json.dumps({
    "version": torch.__version__,
    "gpu": torch.cuda.get_device_name(0) if has_gpu else "",
    "gpu_bytes": torch.cuda.get_device_properties(0).total_memory if has_gpu else 0,
    "has_triton": find_spec("triton") is not None,
    "num_threads": EngineConfig().chosen_num_threads(),
    "dtype": "" if has_gpu else EngineConfig().precision().name,
}))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: what was looked at.
        level: "ok", "note" (works without) or "broken" (does not work until mended).
        detail: what is there.
        mend: what to do about it; empty when nothing needs doing.
    """

    name: str
    level: Level
    detail: str
    mend: str = ""


def check_python() -> Finding:
    """Look at the running Python."""
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("Python", "ok", f"{version} at {sys.executable}")
    return Finding("Python", "broken", version, "Install infill-ls with Python 3.11 to 3.13.")


def check_settings() -> tuple[Finding, EngineSettings]:
    """Look at the settings file; the defaults stand in for a broken one."""
    try:
        settings = read_settings()
    except ConfigError as error:
        return Finding("Settings", "broken", str(error), "Mend or remove that file."), (
            EngineSettings()
        )
    path = settings_file()
    detail = f"{path}" if path.exists() else "defaults (no settings file)"
    return Finding("Settings", "ok", detail), settings


def check_torch() -> tuple[Finding, Finding]:
    """Look at torch and the device it would use, in a process of its own."""
    try:
        probe = subprocess.run(
            [sys.executable, "-P", "-c", _TORCH_PROBE],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        found = json.loads(probe.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        lines = (getattr(error, "stderr", "") or str(error)).strip().split("\n")
        mend = "Install it again: pip install --force-reinstall torch."
        return (
            Finding("torch", "broken", f"cannot be imported: {lines[-1]}", mend),
            Finding("Device", "broken", "unknown without torch"),
        )
    torch = Finding("torch", "ok", found["version"])
    if found["gpu"]:
        memory = f"{found['gpu_bytes'] / 2**30:.0f} GiB"
        if not found["has_triton"]:
            mend = "For the fast kernels: pip install 'infill-ls[gpu]'."
            return torch, Finding("Device", "note", f"{found['gpu']}, without triton", mend)
        return torch, Finding("Device", "ok", f"{found['gpu']} with {memory}")
    if shutil.which("nvidia-smi"):
        mend = "For the GPU, install a CUDA build of torch and `infill-ls[gpu]`."
        return torch, Finding("Device", "note", "CPU, though there is a GPU driver", mend)
    num_threads = found["num_threads"]
    threads = "1 thread" if num_threads == 1 else f"{num_threads} threads"
    return torch, Finding("Device", "ok", f"CPU, {found['dtype']}, {threads}")


def check_checkpoint(settings: EngineSettings) -> Finding:
    """Look at the chosen model's files."""
    try:
        facts = read_model_facts(folder_of(settings.model))
    except InfillError as error:
        mend = "Choose another with `infill-ls model use embedded`."
        if settings.model == "embedded":
            mend = "Install infill-ls again; its package holds this model."
        return Finding("Model", "broken", str(error), mend)
    return Finding("Model", "ok", f"{settings.model}: {describe_briefly(facts)}")


def check_elsewhere(settings: EngineSettings) -> Finding:
    """Look at an engine elsewhere: what it can do, and where the code goes."""
    from infill_client.credentials import address_of
    from infill_client.privacy import where_code_goes

    try:
        if settings.kind != "openai":
            address, detail = address_of(settings), "an engine of infill-ls"
        else:
            from infill_client.openai.blocking import find_server

            server = find_server(settings)
            address = server.address
            told = server.describe()
            streams = "streams" if told["streams"] else "does not stream"
            detail = (
                f"{told['model']}, asked by {told['way']}; {streams}; context tokens: "
                f"{told['context_tokens']}"
            )
    except InfillError as error:
        return Finding("Engine", "broken", str(error))
    notice = where_code_goes(address)
    detail = f"elsewhere, at {address.url}: {detail}"
    return Finding("Engine", "note" if notice else "ok", detail, notice)


def check_grammars() -> Finding:
    """Look for the tree-sitter grammars the language server reads code with."""
    missing = [name for name, (module, _) in GRAMMARS.items() if util.find_spec(module) is None]
    if util.find_spec("tree_sitter") is None:
        missing = ["tree-sitter itself"]
    if missing:
        return Finding(
            "Grammars",
            "note",
            f"without {', '.join(missing)}",
            "Install infill-ls again; until then such files are read as plain text.",
        )
    version = metadata.version("tree-sitter")
    return Finding("Grammars", "ok", f"{', '.join(GRAMMARS)} (tree-sitter {version})")


def check_editors() -> Finding:
    """Look for editors on the search path."""
    found = [name for command, name in _EDITORS.items() if shutil.which(command)]
    if found:
        return Finding("Editors", "ok", ", ".join(found))
    mend = "Point any editor with an LSP client at the command `infill-ls`."
    return Finding("Editors", "note", "none of the known ones found", mend)
