"""From a request to the text worth showing: asks the engine, then cleans what it wrote.

Knows nothing of LSP or of documents. Steps 4 to 6 of the way from keystroke to ghost text.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from infill_engine.api import InfillRequest, InfillResult, InfillUpdate
from lsp_server.context import FillMode
from lsp_server.postprocess import clean_middle

logger = logging.getLogger(__name__)

_GRACE_S = 2.0  # beyond the deadline, which the engine counts from when it takes the request


class Engine(Protocol):
    """What is asked for text."""

    def stream(
        self, request: InfillRequest, document: str
    ) -> AsyncGenerator[InfillUpdate | InfillResult, None]:
        """Yield updates, then one result; closing it cancels the request."""
        ...


OnUpdate = Callable[[InfillUpdate, str], None]
"""Told of every step, and of the text that may be shown after it; see `Stable`."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is worth showing.

    Attributes:
        text: "" for nothing.
        confidence: probability that all of it is right; None when nobody claims any.
    """

    text: str
    confidence: float | None = None


async def suggest(
    engine: Engine, document: str, request: InfillRequest, on_update: OnUpdate | None = None
) -> Suggestion:
    """Return what to show in the gap.

    Cancelling the caller closes the engine's stream, which stops the engine's work.

    Args:
        engine: who is asked.
        document: where the gap is; the engine ends an older request for the same document.
        request: the gap; what is shown is right with at least its `least_confidence`.
        on_update: called after every step. What it was told may be shown is what is returned, or
            its beginning.

    Raises:
        InfillError: the engine is not there or refused.
    """
    stable = Stable(request)

    def tell(update: InfillUpdate) -> None:
        if on_update is not None:
            on_update(update, stable.after(update))

    filled = await _fill(engine, document, request, tell)
    text = clean(request, filled.text)
    if not text.startswith(stable.text):
        text = stable.text  # an editor may show it by now
    return Suggestion(text, filled.confidence_of(text))


class Stable:
    """What of a text may be shown while it converges: it is only ever extended.

    Attributes:
        text: settled, right with the wished probability, cleaned as the whole will be.
    """

    def __init__(self, request: InfillRequest) -> None:
        self._request = request
        self._seen = ""
        self.text = ""

    def after(self, update: InfillUpdate) -> str:
        """Return the text after one more step. Modifies: text."""
        num_chars = update.num_trusted_chars(self._request.least_confidence)
        settled = without_broken_word(update.text, num_chars)
        if settled != self._seen:
            self._seen = settled
            text = clean(self._request, settled)
            if text.startswith(self.text):
                self.text = text
        return self.text


def clean(request: InfillRequest, middle: str) -> str:
    """What of the engine's text is worth showing, "" for nothing."""
    mode: FillMode = "line" if request.mode == "line" else "block"
    return clean_middle(middle, request.prefix, request.suffix, mode, request.language_id)


def without_broken_word(text: str, num_chars: int) -> str:
    """`text` cut to at most `num_chars`; a word cut in two is worse than no word."""
    kept = text[:num_chars]
    goes_on = re.match(r"\w", text[num_chars:])
    return re.sub(r"\w+\Z", "", kept) if goes_on else kept


@dataclass(frozen=True, slots=True)
class _Filled:
    """The engine's text and what it claims of its beginnings."""

    text: str
    leading_confidence: tuple[tuple[int, float], ...] = ()

    def confidence_of(self, text: str) -> float | None:
        """The claim for a beginning as long as `text`, which cleaning may have shortened."""
        if not text:
            return None
        for num_chars, confidence in self.leading_confidence:
            if num_chars >= len(text):
                return confidence
        return None


async def _fill(
    engine: Engine,
    document: str,
    request: InfillRequest,
    on_update: Callable[[InfillUpdate], None],
) -> _Filled:
    """Ask; once the deadline is well past, an engine that says nothing is not waited for."""
    settled = ""
    patience_s = None
    if request.deadline_ms is not None:
        patience_s = request.deadline_ms / 1000 + _GRACE_S
    try:
        async with (
            asyncio.timeout(patience_s),
            aclosing(engine.stream(request, document)) as updates,
        ):
            async for update in updates:
                if isinstance(update, InfillUpdate):
                    settled = update.text[: update.settled_chars]
                    on_update(update)
                elif update.finish_reason in ("deadline", "cancelled"):
                    break
                else:
                    num_chars = update.num_trusted_chars(request.least_confidence)
                    text = without_broken_word(update.text, num_chars)
                    return _Filled(text, update.leading_confidence)
    except TimeoutError:
        logger.info("the engine did not keep the deadline")
    return _Filled(re.sub(r"\w+\Z", "", settled))  # the rest is still noise
