"""From a request to the text worth showing: asks the engine, then cleans what it wrote.

Knows nothing of LSP or of documents. Steps 4 to 6 of the way from keystroke to ghost text.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from infill_engine.api import InfillRequest, InfillResult, InfillUpdate
from lsp_server.context import FillMode
from lsp_server.postprocess import clean_middle


class Engine(Protocol):
    """What is asked for text."""

    def stream(self, request: InfillRequest) -> AsyncGenerator[InfillUpdate | InfillResult, None]:
        """Yield updates, then one result; closing it cancels the request."""
        ...


async def suggest(engine: Engine, request: InfillRequest) -> str:
    """Return what to show in the gap, "" for nothing.

    Cancelling the caller closes the engine's stream, which stops the engine's work.

    Raises:
        InfillError: the engine is not there or refused.
    """
    middle = await _fill(engine, request)
    mode: FillMode = "line" if request.mode == "line" else "block"
    return clean_middle(middle, request.prefix, request.suffix, mode)


async def _fill(engine: Engine, request: InfillRequest) -> str:
    settled = ""
    async with aclosing(engine.stream(request)) as updates:
        async for update in updates:
            if isinstance(update, InfillUpdate):
                settled = update.text[: update.settled_chars]
            elif update.finish_reason in ("deadline", "cancelled"):
                # The rest is still noise; and a word cut in two is worse than no word.
                return re.sub(r"\w+\Z", "", settled)
            else:
                return update.text
    return ""
