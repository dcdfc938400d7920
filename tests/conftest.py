"""Fixtures shared by all tests; end-to-end tests run last."""

from pathlib import Path

import pytest

import infill_engine  # noqa: F401  first: sets how idle threads wait, before torch loads


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random checkpoint with uniform noise."""
    from tests.tiny_checkpoint import write_tiny_checkpoint

    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_checkpoint(folder)
    return folder
