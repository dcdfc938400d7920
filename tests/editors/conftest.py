"""A test that drives a real editor may be tried again: a busy machine can lose a key or a click.

What fails three times is a failure; what failed once and passed is told in the summary. Unit tests
of what the editors run are not tried again by this, since a failing one would fail each time.
"""

from pathlib import Path

import pytest

_NUM_RETRIES = 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.flaky(reruns=_NUM_RETRIES))
