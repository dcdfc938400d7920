"""A scripted engine, and an editor whose server talks to it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from .editor import PLAIN, Editor, options_for, running_editor
from .fake_engine import FakeEngine, running_fake_engine


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with running_fake_engine() as fake:
        yield fake


@pytest_asyncio.fixture
async def editor(engine: FakeEngine) -> AsyncIterator[Editor]:
    """The engine is ready, and every request reaches it: nothing is answered from memory."""
    async with running_editor(options_for(engine, **PLAIN)) as running:
        await running.wait_for_status("ready")
        yield running
