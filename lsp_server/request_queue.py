"""One piece of work per document at a time, the newest: typing on makes older work worthless.

Every caller gets exactly one outcome: a result, None (a newer call for the same document took
over), or its own cancellation. Knows nothing of LSP, documents or engines.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


class RequestQueue:
    """Runs the newest work for each key and ends the older.

    Use from one event loop only.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Any]] = {}

    @property
    def num_running(self) -> int:
        """How many keys have work in progress."""
        return len(self._running)

    async def run(self, key: str, work: Callable[[], Awaitable[Result]]) -> Result | None:
        """Run `work`, ending what runs for the same `key`.

        Returns:
            What `work` returned; None when a newer call superseded this one.

        Raises:
            asyncio.CancelledError: the caller was cancelled; `work` has been ended before this
                is raised, its `finally` blocks included.
            Exception: whatever `work` raised.
        """
        older = self._running.get(key)
        if older is not None:
            older.cancel()
        task: asyncio.Task[Result] = asyncio.ensure_future(_call(work))
        self._running[key] = task
        try:
            # Not `await task`: that could not tell who was cancelled, the caller or the task.
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            _take_exception(task)
            raise
        finally:
            if self._running.get(key) is task:
                del self._running[key]
        if task.cancelled():
            return None
        return task.result()

    def supersede(self, key: str) -> None:
        """End the work for `key`, if any; its caller gets None."""
        task = self._running.get(key)
        if task is not None:
            task.cancel()


async def _call(work: Callable[[], Awaitable[Result]]) -> Result:
    return await work()


def _take_exception(task: "asyncio.Task[Any]") -> None:
    """Mark the task's exception as seen, or asyncio logs it when the task is collected."""
    if not task.cancelled():
        task.exception()
