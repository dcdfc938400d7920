"""A real Neovim starts the server by this project's configuration, and gets an answer."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ..lsp_server.fake_engine import TOKEN, running_fake_engine

pytestmark = pytest.mark.e2e

NEOVIM = Path(sysconfig.get_path("scripts")) / "nvim"
ROOT = Path(__file__).resolve().parents[2]


def test_neovim_attaches_and_gets_a_completion(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text("s = '😀'\n\n\ndef add(a, b):\n    return \n")
    with running_fake_engine() as engine:
        engine.middle = "a + b"
        run = subprocess.run(
            [
                NEOVIM,
                "-l",
                Path(__file__).with_name("attach.lua"),
                ROOT / "editors" / "neovim",
                source,
                json.dumps([sys.executable, "-m", "lsp_server"]),
                json.dumps({"engine": {"url": engine.url, "token": TOKEN}}),
                "4",
                "11",
            ],
            capture_output=True,
            text=True,
            timeout=120,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )
        assert run.returncode == 0, run.stderr
        answer = json.loads(run.stdout.strip().splitlines()[-1])
        assert answer["supports"]
        assert "err" not in answer["response"]
        assert [item["insertText"] for item in answer["response"]["result"]] == ["a + b"]
        assert engine.requests[-1]["prefix"].startswith("s = '😀'\n")
        assert engine.requests[-1]["prefix"].endswith("    return ")
