"""Runs elisp in a batch Emacs and reads back what it found.

Knows nothing of what is tested.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PLUGIN = HERE.parents[2] / "editors" / "emacs"
GIVE_UP_S = 400
"""Not what is asserted: what keeps a failing test from hanging."""


@dataclass(frozen=True)
class Emacs:
    """One Emacs, started anew for every script.

    Attributes:
        program: Emacs.
        folder: where the edited files are.
        env: its environment.
        server_command: starts the language server.
    """

    program: Path
    folder: Path
    env: dict[str, str]
    server_command: list[str]

    def run(self, script: str, source: str = "", name: str = "a.py", **settings: Any) -> Any:
        """Run a script of this folder on a file with `source`, and return what it told.

        The script has `infill-test-file`, `infill-test-command`, `infill-test-settings`, and what
        scenario.el offers.
        """
        file = self.folder / name
        file.write_bytes(source.encode())
        told = self.folder / "told.json"
        given = {
            "infill-test-file": str(file),
            "infill-test-told": str(told),
            "infill-test-command": self.server_command,
            "infill-test-settings": settings,
        }
        (self.folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
        run = subprocess.run(
            [
                *(self.program, "--batch", "-Q", "-L", PLUGIN, "-L", HERE, "-l", "scenario.el"),
                *("--eval", f'(infill-test-read "{self.folder}/given.json")'),
                *("-l", HERE / script),
            ],
            capture_output=True,
            text=True,
            timeout=GIVE_UP_S,
            env=self.env,
            cwd=self.folder,
        )
        assert run.returncode == 0, run.stderr[-4000:]
        return {**json.loads(told.read_text(encoding="utf-8")), "said": run.stderr}
