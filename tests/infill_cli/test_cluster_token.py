from pathlib import Path
from typing import Any

from infill_cluster.security.tokens import TokenBook


def test_a_token_is_shown_once_then_listed_and_revoked(run: Any, folders: Path) -> None:
    path = folders / "tokens.json"
    added = run("cluster", "token", "add", "ada", "--file", str(path))
    assert added.exit_code == 0
    token = added.stdout.strip()
    assert TokenBook(path).user_of(token) == "ada"
    listed = run("cluster", "token", "list", "--file", str(path))
    assert listed.stdout.startswith("ada ")
    assert f"...{token[-4:]}" in listed.stdout
    assert token not in listed.output
    revoked = run("cluster", "token", "revoke", "ada", "--file", str(path))
    assert f"ends in {token[-4:]}" in revoked.stdout
    assert run("cluster", "token", "list", "--file", str(path)).stdout == ""


def test_without_a_file_it_stands_beside_the_users_settings(run: Any, folders: Path) -> None:
    run("cluster", "token", "add", "ada")
    assert (folders / "config" / "cluster-tokens.json").exists()


def test_what_goes_wrong_is_one_sentence(run: Any, folders: Path) -> None:
    revoked = run("cluster", "token", "revoke", "ada", "--file", str(folders / "none.json"))
    assert revoked.exit_code == 2
    assert revoked.output.startswith("infill-ls: 'ada' has no token in ")
    listed = run("cluster", "token", "list", "--file", str(folders / "none.json"))
    assert listed.exit_code == 2
    assert "cannot be read" in listed.output


def test_a_configuration_that_is_wrong_is_one_sentence(run: Any, folders: Path) -> None:
    (folders / "team.yaml").write_text("replicas: {max: 0}\n")
    for command in (["deploy"], ["run", "--config"]):
        answer = run("cluster", *command, str(folders / "team.yaml"))
        assert answer.exit_code == 2
        assert "replicas.max is 0" in answer.output
