"""All folders of one user of VS Code, and what the settings there say.

Nothing of the real user's is read or written: home, the editor's data, the engine and its settings
all lie in one folder. Knows nothing of processes.
"""

import json
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infill_client.settings import CONFIG_DIR_VARIABLE
from infill_engine.process_state import RUNTIME_DIR_VARIABLE
from lsp_server.speaking.stats_file import STATE_DIR_VARIABLE

from ..node import node_environment

SERVER_COMMAND = [str(Path(sysconfig.get_path("scripts")) / "infill-ls")]
"""The language server of the environment that the tests run in."""
SHOW_ALL = {"infill.minConfidence": 0, "infill.deadlineMs": 60_000}
"""Settings under which whatever the model says is shown, however busy the machine."""
_USER_SETTINGS = {
    "telemetry.telemetryLevel": "off",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.enableExperiments": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "extensions.ignoreRecommendations": True,
    "update.mode": "none",
    "git.enabled": False,
    "files.autoSave": "off",
    "security.workspace.trust.enabled": False,
    # Word suggestions would open over the ghost text; the test of that opens them itself.
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.suggestOnTriggerCharacters": False,
    "editor.minimap.enabled": False,
    "diffEditor.useInlineViewWhenSpaceIsLimited": False,
    "editor.fontFamily": "DejaVu Sans Mono",
}


@dataclass(frozen=True)
class UserFolders:
    """Where everything of one user lies.

    Attributes:
        root: holds all others.
    """

    root: Path

    @property
    def workspace(self) -> Path:
        """The folder that is open in the editor."""
        return self.root / "workspace"

    @property
    def data(self) -> Path:
        """The editor's own: settings, logs, state."""
        return self.root / "data"

    @property
    def extensions(self) -> Path:
        """Installed extensions."""
        return self.root / "extensions"

    def environment(self) -> dict[str, str]:
        """Return the environment of everything that runs for this user."""
        home = self.root / "home"
        return {
            **node_environment(),
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_DATA_HOME": str(home / ".local" / "share"),
            "XDG_STATE_HOME": str(home / ".local" / "state"),
            RUNTIME_DIR_VARIABLE: str(self.root / "run"),
            CONFIG_DIR_VARIABLE: str(self.root / "config"),
            STATE_DIR_VARIABLE: str(self.root / "state"),
        }

    def write_settings(
        self, user: Mapping[str, Any] | None = None, machine: Mapping[str, Any] | None = None
    ) -> None:
        """Write both settings files: the defaults of the tests, and what is given on top."""
        command = {"infill.server.command": SERVER_COMMAND}
        for scope, settings in (
            ("User", {**_USER_SETTINGS, **(user or {})}),
            ("Machine", {**command, **(machine or {})}),
        ):
            path = self.data / scope / "settings.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(settings, indent=2), encoding="utf-8")

    def write_keybindings(self, keys: Mapping[str, str]) -> None:
        """Bind keys to commands by their identifiers."""
        path = self.data / "User" / "keybindings.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        bound = [{"key": key, "command": command} for key, command in keys.items()]
        path.write_text(json.dumps(bound, indent=2), encoding="utf-8")
