"""A connection that cannot be held open for nothing.

Adds two limits to uvicorn's HTTP/1.1: who does not send a request's head in time, and who does not
read what is sent, is cut off. Knows nothing of what is served.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class CountedProtocol(H11Protocol):
    """Says when its connection has ended."""

    on_lost: Callable[[], None] = staticmethod(lambda: None)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(exc)
        self.on_lost()


def bounded_protocol(head_timeout_s: float, write_timeout_s: float) -> type[CountedProtocol]:
    """Return the class for uvicorn's `http` option.

    Args:
        head_timeout_s: from the first byte, or the connection's beginning, to the head's end.
        write_timeout_s: longest that a full send buffer may stay full.
    """

    class BoundedProtocol(CountedProtocol):
        _head_timer: asyncio.TimerHandle | None = None
        _write_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._head_timer = self.loop.call_later(head_timeout_s, transport.abort)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            is_between_requests = self.cycle is None or self.cycle.response_complete
            if not is_between_requests:
                self._stop_head_timer()
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(head_timeout_s, self.transport.abort)

        def on_response_complete(self) -> None:
            self._stop_head_timer()  # from here on uvicorn's keep-alive timer counts
            super().on_response_complete()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stop_write_timer()
            # close() would wait for the buffer that the client does not read.
            self._write_timer = self.loop.call_later(write_timeout_s, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop_write_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_head_timer()
            self._stop_write_timer()
            super().connection_lost(exc)

        def _stop_head_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _stop_write_timer(self) -> None:
            if self._write_timer is not None:
                self._write_timer.cancel()
                self._write_timer = None

    return BoundedProtocol
