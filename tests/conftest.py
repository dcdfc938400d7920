"""Fixtures shared by all tests; end-to-end tests run last."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

import infill_engine  # noqa: F401  first: sets how idle threads wait, before torch loads

# Before any test imports Ray, which reads them once; no test uses the user's own token.
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Counters and logs of servers that tests start are not the user's."""
    before = os.environ.get("INFILL_LS_STATE_DIR")
    os.environ["INFILL_LS_STATE_DIR"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["INFILL_LS_STATE_DIR"]
    else:
        os.environ["INFILL_LS_STATE_DIR"] = before


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random checkpoint with uniform noise."""
    from tests.tiny_checkpoint import write_tiny_checkpoint

    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_checkpoint(folder)
    return folder
