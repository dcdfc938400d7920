"""What a user of Neovim is told when something is missing, dies or is too big."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from infill_engine.process_state import read_state

from .conftest import SETTINGS, OpenNeovim
from .driver import Neovim
from .suggesting import open_line_in_total, suggestion

pytestmark = pytest.mark.e2e

NUM_CLIENTS = "return #vim.lsp.get_clients({ name = 'infill' })"


def test_a_missing_server_is_told_once(open_neovim: OpenNeovim, tmp_path: Path) -> None:
    with open_neovim(wait=False, cmd=["no-such-server"]) as editor:
        (tmp_path / "b.py").write_text("b = 1\n")
        editor.nvim.command(f"edit {tmp_path / 'b.py'}")
        editor.type("Goreturn ")
        (said,) = editor.said
        assert "'no-such-server' is not installed or not on PATH" in said
        assert "pipx install infill-ls" in said
        assert editor.lua(NUM_CLIENTS) == 0


def test_a_server_that_dies_is_started_a_few_times(open_neovim: OpenNeovim, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    command = ["sh", "-c", f"echo started >> '{starts}'; exit 3"]
    with open_neovim(wait=False, autostart=False, cmd=command) as editor:
        editor.lua("require('infill.restart').waits_ms = { 10, 10, 10 }; vim.lsp.enable('infill')")
        editor.wait_for(
            lambda: any("died 4 times and is left alone" in said for said in editor.said),
            "no last word",
        )
        (last_word,) = [said for said in editor.said if said.startswith("infill: ")]
        assert ":Infill log" in last_word
        assert starts.read_text().count("started") == 4
        assert editor.status() == "stopped"


def test_a_killed_engine_comes_back(editor: Neovim) -> None:
    state = read_state()
    assert state is not None
    editor.lua(
        """
        _G.states = {}
        vim.api.nvim_create_autocmd('User', { pattern = 'InfillStatus', callback = function()
          table.insert(_G.states, vim.g.infill_status.state)
        end })
        """
    )
    os.kill(state.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(state.pid)] if psutil.pid_exists(state.pid) else [], 20)
    open_line_in_total(editor, "return ")
    editor.wait_for(
        lambda: len(editor.lua("return _G.states")) > 1 and editor.status() == "ready",
        "the engine did not come back",
    )
    editor.type("<Esc>")
    open_line_in_total(editor, "return ")
    assert suggestion(editor)


def test_a_refused_engine_is_told_in_the_status_and_typing_goes_on(
    open_neovim: OpenNeovim, engine_home: dict[str, str]
) -> None:
    state = read_state()
    assert state is not None
    named = {"url": state.url, "token": "wrong"}
    with open_neovim(wait=False, settings={**SETTINGS, "engine": named}) as editor:
        open_line_in_total(editor, "return ")
        editor.wait_for(
            lambda: "token" in editor.lua("return (vim.g.infill_status or {}).message or ''"),
            "nothing is said of the token",
        )
        assert editor.ghost == ""
        assert editor.nvim.current.line == "    return "


def test_nothing_is_left_behind(open_neovim: OpenNeovim) -> None:
    with open_neovim() as editor:
        children = psutil.Process(editor.pid).children(recursive=True)
        servers = [child for child in children if "lsp_server" in " ".join(child.cmdline())]
        assert servers, "the server is no child of the editor"
    _, alive = psutil.wait_procs(servers, timeout=20)
    assert alive == []


def test_unnamed_and_huge_buffers_are_left_alone(open_neovim: OpenNeovim) -> None:
    with open_neovim(wait=False, max_file_bytes=100) as editor:
        editor.nvim.command("enew")
        editor.nvim.command("set filetype=python")
        assert (editor.lua(NUM_CLIENTS), editor.said) == (0, [])
        editor.nvim.command("Infill trigger")
        assert "does not serve this buffer" in editor.said[-1]
        editor.nvim.command("checkhealth infill")
        assert "Not served: it has no name yet; save it first" in editor.text
        editor.nvim.command("quit")
        editor.nvim.command("buffer a.py")
        editor.nvim.command("checkhealth infill")
        assert "more than max_file_bytes (100)" in editor.text


def test_health_of_a_served_buffer(editor: Neovim) -> None:
    editor.nvim.command("checkhealth infill")
    assert "ERROR" not in editor.text
    assert "ghost text: the plugin's own" in editor.text
    assert "Served by client" in editor.text


def test_wrong_options_are_named_and_the_rest_works(open_neovim: OpenNeovim) -> None:
    with open_neovim(ghost={"auto": "yes", "sparkle": 1}, keys={"accept": "<C-y>"}) as editor:
        said = "\n".join(editor.said)
        assert "option 'ghost.auto' is \"yes\"; allowed is true or false" in said
        assert "unknown option 'ghost.sparkle'; known are ghost.auto" in said
        open_line_in_total(editor, "return ")
        ghost = suggestion(editor)
        editor.type("<C-y>")
        assert editor.nvim.current.line == "    return " + ghost


def test_help_has_tags(editor: Neovim, tmp_path: Path) -> None:
    source = Path(__file__).resolve().parents[3] / "editors/neovim/doc/infill.txt"
    (tmp_path / "doc").mkdir()
    (tmp_path / "doc/infill.txt").write_text(source.read_text(encoding="utf-8"))
    editor.nvim.command(f"helptags {tmp_path / 'doc'}")
    tags = (tmp_path / "doc/tags").read_text().splitlines()
    assert {"infill", ":Infill", "infill-options"} <= {tag.split("\t")[0] for tag in tags}
