"""Sends what a request's text looks like while it converges.

For our own plugins after every step, as `infill/update`; for any other client, which can only
extend what it shows, the part that may be shown. Knows nothing of how the text comes about.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lsprotocol import types

from infill_engine.api import InfillUpdate
from lsp_server.positions import PositionEncoding, count_units
from lsp_server.speaking.reasons import Withheld
from lsp_server.suggestion import OnUpdate

INFILL_UPDATE = "infill/update"
"""Custom notification to the client: {token, sequence, version, step, accepted, text,
settledLength, confidence, tokenLengths, stable, done, reason, message}.

`accepted` counts the canvas positions accepted in the step. Lengths are code units in the
negotiated encoding. `settledLength` counts the leading ones of `text` that will not change any
more. `confidence` is e to the minus entropy of each canvas position, 0 to 1; `tokenLengths` is how
much of `text` each position spells, and what they leave over is before the canvas. `stable` may be
shown: it is only ever extended, and the answer begins with it. In the last, which has `done`,
`text` and `stable` are what is offered, "" for nothing; `reason` and `message` then say why."""

Notify = Callable[[str, Any], None]


class UpdateStream:
    """`infill/update` for one request."""

    def __init__(
        self, notify: Notify, token: int | str, version: int | None, encoding: PositionEncoding
    ) -> None:
        self._notify, self._token, self._version = notify, token, version
        self._encoding: PositionEncoding = encoding
        self._sequence = 0

    def show(self, update: InfillUpdate, stable: str) -> None:
        """Tell the text as it stands after a step."""
        text, encoding = update.text, self._encoding
        lengths: list[int] = []
        begin = len(text) - sum(update.token_chars)
        for num_chars in update.token_chars:
            lengths.append(count_units(text[begin : begin + num_chars], encoding))
            begin += num_chars
        self._send(
            step=update.step_idx,
            accepted=update.num_accepted,
            text=text,
            settledLength=count_units(text[: update.settled_chars], encoding),
            confidence=[round(math.exp(-entropy), 4) for entropy in update.token_entropies],
            tokenLengths=lengths,
            stable=stable,
            done=False,
        )

    def end(self, text: str, withheld: Withheld | None = None) -> None:
        """Tell the text that the request is answered with, "" for none, and why there is none."""
        self._send(
            step=None,
            accepted=None,
            text=text,
            settledLength=count_units(text, self._encoding),
            confidence=[],
            tokenLengths=[],
            stable=text,
            done=True,
            reason=withheld and withheld.reason,
            message=withheld and withheld.sentence,
        )

    def _send(self, **values: Any) -> None:
        known = {"token": self._token, "sequence": self._sequence, "version": self._version}
        self._notify(INFILL_UPDATE, {**known, **values})
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

    def show(update: InfillUpdate, stable: str) -> None:
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

    Each holds all that may be shown so far and stands for the one before it; the answer is whole.
    """

    def __init__(
        self, notify: Notify, token: int | str, items: Callable[[str], list[Any] | None]
    ) -> None:
        self._notify, self._token, self._items = notify, token, items
        self._sent = ""

    def show(self, update: InfillUpdate, stable: str) -> None:
        """Tell what may be shown, if that is more than was told before."""
        if stable != self._sent:
            self._sent = stable
            params = types.ProgressParams(token=self._token, value=self._items(stable))
            self._notify(types.PROGRESS, params)
