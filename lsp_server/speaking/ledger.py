"""Writes down what came of each request: into the counters and, if there is one, into the log.

Knows nothing of how an outcome was decided.
"""

from collections.abc import Callable

from lsp_server.speaking.outcomes import Answer, Situation
from lsp_server.speaking.reasons import Withheld
from lsp_server.speaking.request_log import RequestLine
from lsp_server.speaking.stats import Stats


class Ledger:
    """The counters of one session, and the way to its log.

    Attributes:
        stats: counted since `take_stats` was last called.
    """

    def __init__(self, log: Callable[[RequestLine], None] | None = None) -> None:
        self.stats = Stats()
        self._log = log
        self._numbers: dict[str, int] = {}
        self._num_documents = 0

    def take_stats(self) -> Stats:
        """Return what has been counted, and begin at zero. Modifies: stats."""
        taken, self.stats = self.stats, Stats()
        return taken

    def write(
        self, situation: Situation, outcome: Answer | Withheld, took_ms: float, waited_ms: float
    ) -> None:
        """Write down the outcome of a request."""
        if isinstance(outcome, Withheld):
            self.stats.count_withheld(outcome.reason)
        elif outcome.source != "model":
            self.stats.count("model_calls_saved")
        if self._log is not None:
            self._log(self._line(situation, outcome, took_ms, waited_ms))

    def forget(self, uri: str) -> None:
        """Drop the number of a document that was closed."""
        self._numbers.pop(uri, None)

    def _line(
        self, situation: Situation, outcome: Answer | Withheld, took_ms: float, waited_ms: float
    ) -> RequestLine:
        """Describe an outcome without a word of the document."""
        if situation.uri not in self._numbers:
            self._num_documents += 1
            self._numbers[situation.uri] = self._num_documents
        is_withheld = isinstance(outcome, Withheld)
        return RequestLine(
            document=self._numbers[situation.uri],
            language_id=situation.gap.language_id,
            is_invoked=situation.is_invoked,
            outcome=outcome.reason if is_withheld else outcome.source,
            took_ms=took_ms,
            waited_ms=waited_ms,
            prefix_chars=len(situation.gap.prefix),
            suffix_chars=len(situation.gap.suffix),
            text_chars=0 if is_withheld else len(outcome.text),
            confidence=None if is_withheld else outcome.confidence,
        )
