"""Speculation for tests of the speaker: only notes what it is told."""

from lsp_server.speaking.gap import Gap


class Guesses:
    """What runs, by document."""

    def __init__(self) -> None:
        self.running: dict[str, Gap] = {}

    def start(self, uri: str, gap: Gap) -> None:
        self.running[uri] = gap

    def is_running(self, uri: str, gap: Gap) -> bool:
        return self.running.get(uri) == gap

    def cancel(self, uri: str) -> None:
        self.running.pop(uri, None)

    def cancel_all(self) -> None:
        self.running.clear()
