"""Which files are left alone: by name, by ignore file, by the user's patterns, through links."""

from pathlib import Path

import pytest

from lsp_server.speaking.excluded_names import why_name_excluded
from lsp_server.speaking.exclusions import RECHECK_S, Exclusions, why_excluded


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".env.local",
        ".ENV",
        "server.pem",
        "tls.key",
        "id_rsa",
        "ID_ED25519",
        "store.p12",
        "pass.kdbx",
        "credentials",
        "credentials.json",
        ".netrc",
        ".npmrc",
        ".pypirc",
        "secrets.yaml",
        "prod.tfvars",
        "package-lock.json",
        "Cargo.lock",
        "app.min.js",
        "service_pb2.py",
    ],
)
def test_secret_and_generated_names_are_excluded(name: str) -> None:
    why = why_excluded(name)
    assert why is not None
    assert name in why


@pytest.mark.parametrize(
    "name",
    [
        "main.py",
        "environment.ts",
        ".env.example",
        "keyboard.py",
        "lock.py",
        "mapping.go",
        "secret.go",
    ],
)
def test_ordinary_names_are_not(name: str) -> None:
    assert why_excluded(name) is None


def test_folders_of_secrets_exclude_what_lies_in_them() -> None:
    assert why_name_excluded("config", ("/", "home", "me", ".ssh")) is not None
    assert why_name_excluded("config", ("/", "home", "me", "ssh")) is None


def test_nested_ignore_files_and_what_they_take_back(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("build/\n*.log\n", encoding="utf-8")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / ".gitignore").write_text("!kept.log\n", encoding="utf-8")
    folders = [tmp_path]
    assert "by .gitignore" in (why_excluded(tmp_path / "build" / "a.py", folders) or "")
    assert why_excluded(tmp_path / "src" / "a.log", folders) is not None
    assert why_excluded(tmp_path / "src" / "kept.log", folders) is None
    assert why_excluded(tmp_path / "src" / "a.py", folders) is None
    assert why_excluded(tmp_path / "build" / "a.py", folders, use_gitignore=False) is None


def test_ignore_files_above_the_opened_folder_count_up_to_the_repository(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    opened = repository / "part"
    opened.mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("*\n", encoding="utf-8")
    (repository / ".git").mkdir()
    (repository / ".gitignore").write_text("part/x.py\n", encoding="utf-8")
    assert why_excluded(opened / "x.py", [opened]) is not None
    assert why_excluded(opened / "y.py", [opened]) is None


def test_the_repository_s_own_exclude_file_counts(tmp_path: Path) -> None:
    info = tmp_path / ".git" / "info"
    info.mkdir(parents=True)
    (info / "exclude").write_text("mine/\n", encoding="utf-8")
    assert why_excluded(tmp_path / "mine" / "a.py", [tmp_path]) is not None


def test_infillignore_counts_even_when_gitignore_does_not(tmp_path: Path) -> None:
    (tmp_path / ".infillignore").write_text("vendor/\n!shown.py\n", encoding="utf-8")
    (tmp_path / ".gitignore").write_text("shown.py\nother.py\n", encoding="utf-8")
    vendored = tmp_path / "vendor" / "a.py"
    assert "by .infillignore" in (why_excluded(vendored, [tmp_path], use_gitignore=False) or "")
    assert why_excluded(tmp_path / "shown.py", [tmp_path]) is None
    assert why_excluded(tmp_path / "other.py", [tmp_path]) is not None


def test_a_project_can_not_take_secrets_back_but_the_user_can(tmp_path: Path) -> None:
    (tmp_path / ".infillignore").write_text("!.env\n", encoding="utf-8")
    assert why_excluded(tmp_path / ".env", [tmp_path]) is not None
    assert why_excluded(tmp_path / ".env", [tmp_path], ["!.env"]) is None


def test_the_user_s_patterns_are_relative_to_the_workspace_folder(tmp_path: Path) -> None:
    patterns = ["/private/", "["]
    assert why_excluded(tmp_path / "private" / "a.py", [tmp_path], patterns) is not None
    assert why_excluded(tmp_path / "src" / "private" / "a.py", [tmp_path], patterns) is None


def test_documents_outside_every_folder_and_without_a_file(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("a.py\n", encoding="utf-8")
    assert why_excluded(tmp_path / "a.py") is not None
    assert why_excluded(tmp_path / "b.py", [tmp_path / "elsewhere"]) is None
    assert why_excluded("Untitled-1") is None
    assert why_excluded("") is None


def test_a_link_is_excluded_with_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("", encoding="utf-8")
    (tmp_path / "notes.txt").symlink_to(".env")
    (tmp_path / "loop").symlink_to("loop")
    assert "notes.txt leads to" in (why_excluded(tmp_path / "notes.txt", [tmp_path]) or "")
    assert why_excluded(tmp_path / "loop", [tmp_path]) is None


def test_a_folder_opened_through_a_link_keeps_its_rules(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / ".infillignore").write_text("a.py\n", encoding="utf-8")
    (tmp_path / "link").symlink_to(real)
    link = tmp_path / "link"
    assert why_excluded(link / "a.py", [link]) is not None
    assert why_excluded(real / "a.py", [link]) is not None
    assert why_excluded(link / "b.py", [link]) is None


@pytest.mark.parametrize(
    "path", ["/a\0b/c.py", "/" + "x" * 5000, "/" + "a/" * 500 + "b.py", "/\ud800.py"]
)
def test_odd_paths_never_raise(path: str) -> None:
    assert why_excluded(path, ["/", "/a"]) is None


def test_an_answer_is_repeated_for_a_while_only(tmp_path: Path) -> None:
    now_s = 0.0
    exclusions = Exclusions(clock=lambda: now_s)
    assert exclusions.why_excluded(tmp_path / "a.py", [tmp_path]) is None
    (tmp_path / ".infillignore").write_text("a.py\n", encoding="utf-8")
    assert exclusions.why_excluded(tmp_path / "a.py", [tmp_path]) is None
    now_s = RECHECK_S
    assert exclusions.why_excluded(tmp_path / "a.py", [tmp_path]) is not None
