"""Every configuration in docs/editors.md is read as its editor reads it, and its settings exist."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lsp_server.settings.reading import read_values

from ..installed import installed_or_skip
from ..lsp_server.fake_engine import TOKEN, FakeEngine, running_fake_engine
from ..lsp_server.raw_client import running_raw_client
from ..system_packages import ensure_program
from .documented import PAGE, blocks

OPTION_KEYS = ("initializationOptions", "initialization_options")
"""What editors call the initialization options."""
CLIENT = "Your own client"


def assert_known(settings: Any) -> None:
    """Fail unless the server takes every one of these settings."""
    values, problems = read_values(settings)
    assert values and problems == ()


def options_in(configuration: Any) -> list[Any]:
    """Return the initialization options at any depth of an editor's configuration."""
    if not isinstance(configuration, dict):
        return []
    found = [configuration[key] for key in OPTION_KEYS if key in configuration]
    return found + [option for value in configuration.values() for option in options_in(value)]


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    kinds = set(re.findall(r"(?m)^```(\w+)$", PAGE.read_text(encoding="utf-8")))
    assert kinds == {"elisp", "json", "toml", "vim"}


@pytest.mark.parametrize("editor", sorted(blocks("json").keys() - {CLIENT}))
def test_configurations_in_json(editor: str) -> None:
    for block in blocks("json")[editor]:
        configuration = json.loads(block)
        # JetBrains has a field for the options alone.
        options = options_in(configuration) or [configuration]
        for option in options:
            assert_known(option)


def test_the_configuration_of_helix() -> None:
    (block,) = blocks("toml")["Helix"]
    configuration = tomllib.loads(block)
    servers = configuration["language-server"]
    assert_known(servers["infill"]["config"])
    assert all("infill" in language["language-servers"] for language in configuration["language"])


def test_the_configurations_of_vim(tmp_path: Path) -> None:
    """Vim runs them, with a stand-in for the plugin's function that notes what it is given."""
    vim = installed_or_skip(lambda: ensure_program("vim", "vim"))
    for_vim_lsp, for_yegappan = blocks("vim")["Vim"]
    noted = tmp_path / "noted"
    folder = tmp_path / "autoload"
    folder.mkdir()
    note = f"call writefile([json_encode({{}})], '{noted}', 'a')"
    (folder / "lsp.vim").write_text(
        f"function! lsp#register_server(given) abort\n{note.format('a:given')}\nendfunction\n"
    )
    (tmp_path / "script.vim").write_text(
        f"set nocompatible\nset runtimepath^={tmp_path}\n"
        f"function! LspAddServer(given) abort\n{note.format('a:given[0]')}\nendfunction\n"
        + for_vim_lsp.replace("{server_info -> ['infill-ls']}", "['infill-ls']")
        + for_yegappan
        + "doautocmd User lsp_setup\ndoautocmd User lsp_buffer_enabled\n"
        + f"call writefile([json_encode(#{{omnifunc: &l:omnifunc}})], '{noted}', 'a')\nqa!\n"
    )
    subprocess.run(
        [vim, "-N", "-u", "NONE", "-i", "NONE", "-es", "-S", tmp_path / "script.vim"],
        timeout=60,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    vim_lsp, yegappan, set_options = (
        json.loads(line) for line in noted.read_text(encoding="utf-8").splitlines()[-3:]
    )
    if "path" in vim_lsp:  # the one that registers at once comes first
        vim_lsp, yegappan = yegappan, vim_lsp
    assert vim_lsp["cmd"] == ["infill-ls"] and yegappan["path"] == "infill-ls"
    assert_known(vim_lsp["initialization_options"])
    assert_known(yegappan["initializationOptions"])
    assert set_options == {"omnifunc": "lsp#complete"}


@pytest.mark.parametrize("editor", sorted(blocks("elisp")))
def test_the_configurations_of_emacs(editor: str, tmp_path: Path) -> None:
    """Emacs reads them; what follows the keys of settings is the server's."""
    emacs = installed_or_skip(lambda: ensure_program("emacs", "emacs-nox"))
    (block,) = blocks("elisp")[editor]
    (tmp_path / "block.el").write_text(block, encoding="utf-8")
    run = subprocess.run(
        [
            *(emacs, "--batch", "-Q", "-l", Path(__file__).with_name("read_settings.el")),
            *("--eval", f'(read-settings "{tmp_path}/block.el")'),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found
    for settings in found:
        assert_known(settings)


def test_links_within_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"(?m)^## (.*)$", text)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors
    for target in re.findall(r"\]\((?!http|#)([^)#]*)", text):
        assert (PAGE.parent / target).exists(), target


@pytest.mark.e2e
def test_the_session_of_a_client_of_ones_own() -> None:
    """Sent as it stands there, but for the engine, it is answered as it stands there."""
    session, expected = (json.loads(block) for block in blocks("json")[CLIENT])
    with running_fake_engine() as engine, running_raw_client() as client:
        engine.middle = "a + b"
        assert answer_to_last(session, engine, client) == expected


def answer_to_last(session: list[Any], engine: FakeEngine, client: Any) -> Any:
    """Send a session's messages, and return the result of its last request."""
    *first, last = session
    options = {"engine": {"url": engine.url, "token": TOKEN}}
    first[0]["params"]["initializationOptions"] = options
    for message in first:
        client.send(message)
    client.wait_for("infill/status", state="ready")
    return client.ask(last)["result"]
