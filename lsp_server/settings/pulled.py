"""Settings the client is asked for with `workspace/configuration`, whole and for each document.

An answer counts until the client says that its configuration has changed; one that does not come in
time is not waited for again until then, and the one before it goes on to count. Knows nothing of
LSP's types: asking is a function it is given.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from lsp_server.settings.reading import read_values

TIME_LIMIT_S = 2.0
MAX_SCOPES = 200
"""Documents whose answers are kept; an older one is asked for anew when it is used again."""

_REFUSED = object()

Scope = str | None
"""A document's URI; None is the whole workspace."""
AskClient = Callable[[Scope], Awaitable[object]]
"""Asks for the section "infill" in a scope. May raise anything and may never return."""


class PulledSettings:
    """The client's answers by scope. Use from one event loop only."""

    def __init__(
        self,
        ask: AskClient,
        report: Callable[[tuple[str, ...]], None],
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self._ask = ask
        self._report = report
        self._time_limit_s = time_limit_s
        self._values: OrderedDict[Scope, dict[str, Any]] = OrderedDict()
        self._asking: dict[Scope, asyncio.Task[None]] = {}
        self._asked: set[Scope] = set()
        self._told: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_silent = False

    def values(self, scope: Scope) -> dict[str, Any]:
        """Return what the client last gave for `scope`, else for the whole workspace; no wait."""
        if scope in self._values:
            self._values.move_to_end(scope)
            return self._values[scope]
        return self._values.get(None, {})

    async def refresh(self, scope: Scope) -> None:
        """See to it that `values` is up to date, waiting `time_limit_s` for the client at most.

        Callers for one scope share one question. An answer that comes late still counts.
        """
        if self._is_silent:
            return
        task = self._asking.get(scope)
        if task is None:
            if scope in self._asked:
                return
            task = self._start(scope)
        # Not wait_for: the question goes on when one of those who wait for it is cancelled.
        _, pending = await asyncio.wait({task}, timeout=self._time_limit_s)
        if pending and self._asking.get(scope) is task:
            self._is_silent = True

    def ask_again(self) -> None:
        """Take every answer for old: the client says that its configuration has changed."""
        # A question on its way may be answered with what was before the change.
        self._asking.clear()
        self._asked.clear()
        self._told.clear()
        self._is_silent = False

    def forget(self, scope: str) -> None:
        """Drop what is kept for a document that was closed."""
        self._asking.pop(scope, None)
        self._asked.discard(scope)
        self._values.pop(scope, None)

    def close(self) -> None:
        """Wait for no answer any more."""
        for task in self._tasks:
            task.cancel()

    def _start(self, scope: Scope) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(self._ask_and_keep(scope))
        self._asked.add(scope)
        self._asking[scope] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _ask_and_keep(self, scope: Scope) -> None:
        task = asyncio.current_task()
        try:
            given = await self._ask(scope)
        except Exception:
            given = _REFUSED
        if self._asking.get(scope) is not task:
            return
        del self._asking[scope]
        self._is_silent = False
        if given is _REFUSED:
            return  # what the client gave before goes on to count
        values, problems = read_values(given)
        self._keep(scope, values)
        # The answers for documents mostly repeat the workspace's, problems included.
        new_problems = tuple(problem for problem in problems if problem not in self._told)
        self._told.update(new_problems)
        if new_problems:
            self._report(new_problems)

    def _keep(self, scope: Scope, values: dict[str, Any]) -> None:
        self._values[scope] = values
        self._values.move_to_end(scope)
        documents = [kept for kept in self._values if kept is not None]
        for oldest in documents[: max(len(documents) - MAX_SCOPES, 0)]:
            self.forget(oldest)
