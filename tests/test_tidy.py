"""What ARCHITECTURE.md promises of the code's structure, held to by reading the code."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "lsp_server": ROOT / "lsp_server",
    "infill_cli": ROOT / "infill_cli",
    "infill_client": ROOT / "infill_client",
    "infill_cluster": ROOT / "infill_cluster",
    "infill_engine": ROOT / "infill_engine",
    "infill_kernels": ROOT / "kernels" / "infill_kernels",
    "training": ROOT / "training",
    "benchmarks": ROOT / "benchmarks",
}
MAX_FILE_LINES = 400

# What each package may use of ours; "infill_engine.api" allows that module alone.
WITHOUT_TORCH = (
    "infill_engine.api",
    "infill_engine.wire",
    "infill_engine.process_state",
    "infill_engine.model_choice",
    "infill_engine.version",
)
ALLOWED_OF_OURS: dict[str, tuple[str, ...]] = {
    "infill_kernels": (),
    "infill_engine": ("infill_kernels",),
    "infill_client": WITHOUT_TORCH,
    "lsp_server": ("infill_client", *WITHOUT_TORCH),
    "infill_cluster": ("infill_engine",),
    "infill_cli": ("lsp_server", "infill_client", "infill_cluster", "infill_engine"),
    "training": ("infill_engine", "infill_kernels"),
    "benchmarks": (
        *("infill_client", "infill_cluster", "infill_engine", "infill_kernels"),
        *("lsp_server", "training"),
    ),
}
FORBIDDEN_OUTSIDE: dict[str, set[str]] = {
    "infill_kernels": {"pygls", "lsprotocol", "transformers", "tokenizers"},
    "infill_engine": {"pygls", "lsprotocol", "transformers", "tree_sitter"},
    "infill_client": {"torch", "transformers", "pygls", "lsprotocol"},
    "infill_cluster": {"torch", "transformers", "pygls", "lsprotocol", "tree_sitter"},
    "lsp_server": {"torch", "triton", "transformers", "tokenizers", "safetensors", "numpy"},
    "infill_cli": {"transformers", "pygls", "ray"},
    "training": {"pygls", "lsprotocol"},
    "benchmarks": set(),  # the language server is measured from the editor's side
}


RAY_IS_KNOWN_IN = ROOT / "infill_cluster" / "deployments"


def sources() -> list[tuple[str, Path]]:
    return [
        (package, path)
        for package, folder in PACKAGES.items()
        for path in sorted(folder.rglob("*.py"))
    ]


def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


SOURCES = pytest.mark.parametrize(
    ("package", "path"), sources(), ids=lambda value: getattr(value, "name", value)
)


@SOURCES
def test_imports_point_downward(package: str, path: Path) -> None:
    for module in imported_modules(path):
        top = module.split(".")[0]
        assert top != "kernels", "the folder kernels/ is imported as infill_kernels"
        assert top not in FORBIDDEN_OUTSIDE[package], f"{package} must not know {top}"
        if top in PACKAGES and top != package:
            allowed = ALLOWED_OF_OURS[package]
            assert any(module == a or module.startswith(a + ".") for a in allowed), (
                f"{package} may import {allowed or 'nothing'} of ours, not {module}"
            )


@SOURCES
def test_ray_is_known_in_one_folder(package: str, path: Path) -> None:
    tops = {module.split(".")[0] for module in imported_modules(path)}
    assert "ray" not in tops or path.is_relative_to(RAY_IS_KNOWN_IN)


@SOURCES
def test_every_module_says_what_it_is_for(package: str, path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module docstring is missing"


@SOURCES
def test_files_are_short(package: str, path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("module", ["api", "prompt_format", "run_limits"])
def test_standard_library_only(module: str) -> None:
    path = ROOT / "infill_engine" / f"{module}.py"
    outside = {
        m
        for m in imported_modules(path)
        if m.split(".")[0] not in sys.stdlib_module_names and m != "infill_engine.api"
    }
    assert not outside


@pytest.mark.parametrize(
    "module",
    [
        "lsp_server.server",
        "infill_client.client",
        "infill_client.openai.blocking",
        "infill_cli.main",
        "infill_cli.model_command",
        "infill_engine.kernel_files",  # `forget` asks it, for which VS Code waits 5 s
    ],
)
def test_no_torch_where_an_editor_waits(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["lsp_server.server", "infill_client.credentials"])
def test_neither_http_nor_a_keyring_where_an_editor_waits(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'httpx', 'keyring'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["cutting", "fences", "fim", "prompt", "repeats", "sides"])
def test_what_a_server_is_asked_and_what_it_answers_is_plain_text(module: str) -> None:
    """These decide what code is sent and shown: no HTTP, no settings, nothing but the contract."""
    for name in imported_modules(ROOT / "infill_client" / "openai" / f"{module}.py"):
        is_own = name == "infill_engine.api" or name.startswith("infill_client.openai.")
        assert is_own or name.split(".")[0] in sys.stdlib_module_names, name


@pytest.mark.parametrize("module", ["infill_cluster.gateway.app", "infill_cli.cluster_command"])
def test_no_ray_and_no_torch_before_a_cluster_is_wanted(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'ray', 'torch'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_package_and_engine_file_is_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for package in PACKAGES:
        assert package in text
    for path in (ROOT / "infill_engine").glob("*.py"):
        assert path.name == "__init__.py" or path.name in text, f"{path.name} is not on the map"


def test_decisions_are_numbered_once() -> None:
    names = [path.name for path in (ROOT / "docs" / "decisions").glob("*.md")]
    numbers = [re.match(r"\d{4}", name) for name in names]
    assert all(numbers), "NNNN_title.md"
    assert len({number.group() for number in numbers if number}) == len(names)
