"""Sends what a request's text looks like while it converges.

For our own plugins after every step, as `infill/update`; for any other client, which can only
extend what it shows, the part that has settled. Knows nothing of how the text comes about.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lsprotocol import types

from infill_engine.api import InfillUpdate
from lsp_server.positions import PositionEncoding, count_units
from lsp_server.suggestion import OnUpdate, without_broken_word
from lsp_server.to_lsp import inline_completions

INFILL_UPDATE = "infill/update"
"""Custom notification to the client: {token, sequence, version, text, settledLength, confidence,
done}.

`settledLength` counts leading code units of `text`, in the negotiated encoding, that will not
change any more; `confidence` is e to the minus entropy of each canvas position, 0 to 1."""

Notify = Callable[[str, Any], None]


class UpdateStream:
    """`infill/update` for one request."""

    def __init__(
        self, notify: Notify, token: int | str, version: int, encoding: PositionEncoding
    ) -> None:
        self._notify, self._token, self._version = notify, token, version
        self._encoding: PositionEncoding = encoding
        self._sequence = 0

    def show(self, update: InfillUpdate) -> None:
        """Tell the text as it stands after a step."""
        settled = update.text[: update.settled_chars]
        confidence = [round(math.exp(-entropy), 4) for entropy in update.token_entropies]
        self._send(update.text, count_units(settled, self._encoding), confidence, is_done=False)

    def end(self, text: str) -> None:
        """Tell the text that the request is answered with, "" for none."""
        self._send(text, count_units(text, self._encoding), [], is_done=True)

    def _send(self, text: str, settled: int, confidence: list[float], is_done: bool) -> None:
        self._notify(
            INFILL_UPDATE,
            {
                "token": self._token,
                "sequence": self._sequence,
                "version": self._version,
                "text": text,
                "settledLength": settled,
                "confidence": confidence,
                "done": is_done,
            },
        )
        self._sequence += 1


@contextmanager
def work_done(notify: Notify, token: int | str | None) -> Iterator[OnUpdate | None]:
    """`$/progress` of work, for a client that gave a `workDoneToken`: begun, told of, ended.

    Yields who is to be told of every step; None without a token.
    """
    if token is None:
        yield None
        return

    def tell(value: Any) -> None:
        notify(types.PROGRESS, types.ProgressParams(token=token, value=value))

    def show(update: InfillUpdate) -> None:
        share = update.settled_chars / max(1, len(update.text))
        tell(
            types.WorkDoneProgressReport(
                message=f"step {update.step_idx + 1}", percentage=int(99 * share)
            )
        )

    tell(types.WorkDoneProgressBegin(title="Filling the gap", percentage=0))
    try:
        yield show
    finally:
        tell(types.WorkDoneProgressEnd())


class PartialResults:
    """`$/progress` with items that grow, for a client that gave a `partialResultToken`.

    Each holds all that has settled so far and stands for the one before it; the answer is whole.
    """

    def __init__(
        self,
        notify: Notify,
        token: int | str,
        position: types.Position,
        clean: Callable[[str], str],
    ) -> None:
        self._notify, self._token, self._position = notify, token, position
        self._clean = clean
        self._sent = ""

    def show(self, update: InfillUpdate) -> None:
        """Tell what has settled, if it goes on from what was told before."""
        text = self._clean(without_broken_word(update.text, update.settled_chars))
        if len(text) > len(self._sent) and text.startswith(self._sent):
            self._sent = text
            items = inline_completions(text, self._position)
            self._notify(types.PROGRESS, types.ProgressParams(token=self._token, value=items))
