"""A program that cannot be had skips the tests that need it; in CI that is an error."""

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

from .system_packages import NotInstallable

Installed = TypeVar("Installed")


def installed_or_skip(install: Callable[[], Installed]) -> Installed:
    """Return what `install` does; where that can't be had, skip the test and say why."""
    try:
        return install()
    except NotInstallable as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
