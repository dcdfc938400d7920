"""Who comes in: accepts connections, counts them, and turns away what is too much before TLS.

A connection is nothing but a socket and a timer until its first bytes are here; TLS begins for a
few of them at a time, each address in its turn. So thousands of connections cost next to nothing
while they are silent, and somebody else's streams go on while they are not. Knows nothing of HTTP.
"""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import ssl
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

logger = logging.getLogger(__name__)

Refusal = Literal["in_all", "address", "files", "silent", "handshake"]
"""in_all, address: too many connections were open. files: the process had no file descriptor left.
silent: nothing came in time. handshake: TLS failed, or did not begin or end in time."""

_MAX_ACCEPTED_AT_ONCE = 64
"""Before others of the event loop have their turn."""
_HANDSHAKES_PER_S = 500
"""That begin: about half a core, so that who is inside is still served."""
_GOODBYE_S = 5.0
"""For a client to agree that TLS has ended."""
_NO_FILES_PAUSE_S = 0.5
_NO_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_SECONDS_BETWEEN_WARNINGS = 60.0


CreateProtocol = Callable[[Callable[[], None]], asyncio.Protocol]
"""Makes what a connection is handed to; it calls what it is given when the connection has ended."""


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """How many may come in.

    Attributes:
        max_connections: open at once; more are closed as they come.
        max_per_address: likewise of one address, or of one IPv6 network of 64 bits.
        patience_s: until the first byte, and again until TLS is spoken.
    """

    max_connections: int
    max_per_address: int
    patience_s: float


@dataclass(slots=True, eq=False)
class _Visit:
    connection: socket.socket
    address: str
    reason: Refusal = "silent"
    timer: asyncio.TimerHandle | None = None
    handshake: "asyncio.Task[None] | None" = None
    is_counted: bool = field(default=True)


class Door:
    """A listening socket; whoever comes in gets a protocol made for them."""

    def __init__(
        self, listening: socket.socket, limits: DoorLimits, context: ssl.SSLContext | None
    ) -> None:
        """Prepare; `open` begins to accept.

        Args:
            listening: closed with the door.
            limits: how many may come in.
            context: for TLS; None speaks plainly.
        """
        listening.setblocking(False)
        self._listening, self._limits, self._context = listening, limits, context
        self._num_open_of: Counter[str] = Counter()
        self._waiting: set[_Visit] = set()
        """Who has not said anything yet, or is at TLS."""
        self._lines: OrderedDict[str, deque[_Visit]] = OrderedDict()
        """Who waits for TLS to begin, by address."""
        self._pump: asyncio.Task[None] | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._refused: Counter[Refusal] = Counter()
        self._warned_s = -_SECONDS_BETWEEN_WARNINGS
        self._loop: asyncio.AbstractEventLoop | None = None
        self.num_open = 0
        """Connections open now, whatever they have said."""

    @property
    def refused(self) -> Mapping[Refusal, int]:
        """Connections turned away so far, by reason."""
        return {reason: self._refused[reason] for reason in get_args(Refusal)}

    def open(self, create_protocol: CreateProtocol) -> None:
        """Accept from now on; call it inside the event loop that is to serve."""
        self._create_protocol = create_protocol
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._listening, self._accept)

    def close(self) -> None:
        """Accept nothing more, and close what has not been handed on."""
        if self._loop is not None and self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
        self._listening.close()
        for task in (self._pump, self._pause):
            if task is not None:
                task.cancel()
        for visit in list(self._waiting):
            if visit.handshake is not None:
                visit.handshake.cancel()
            else:
                self._turn_away(visit)
        self._lines.clear()

    def _accept(self) -> None:
        for _ in range(_MAX_ACCEPTED_AT_ONCE):
            try:
                connection, peer = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NO_FILES:
                    self._stop_accepting_for_now()
                    return
                continue  # that client has left already
            address = _address_of(str(peer[0]))
            if self.num_open >= self._limits.max_connections:
                self._refuse("in_all", connection)
            elif self._num_open_of[address] >= self._limits.max_per_address:
                self._refuse("address", connection)
            else:
                self._let_in(_Visit(connection, address))

    def _let_in(self, visit: _Visit) -> None:
        loop = self._running_loop()
        self.num_open += 1
        self._num_open_of[visit.address] += 1
        visit.connection.setblocking(False)
        self._waiting.add(visit)
        visit.timer = loop.call_later(self._limits.patience_s, self._run_out_of_patience, visit)
        loop.add_reader(visit.connection, self._on_first_bytes, visit)

    def _on_first_bytes(self, visit: _Visit) -> None:
        self._running_loop().remove_reader(visit.connection)
        visit.reason = "handshake"
        line = self._lines.setdefault(visit.address, deque())
        line.append(visit)
        if self._pump is None or self._pump.done():
            self._pump = self._running_loop().create_task(self._begin_in_turn())

    async def _begin_in_turn(self) -> None:
        while self._lines:
            address, line = self._lines.popitem(last=False)
            visit = line.popleft()
            if line:
                self._lines[address] = line
            if not visit.is_counted:  # its time is over
                continue
            if visit.timer is not None:
                visit.timer.cancel()
            visit.handshake = self._running_loop().create_task(self._hand_on(visit))
            # Without TLS nothing is worth waiting for, but others have their turn.
            await asyncio.sleep(1 / _HANDSHAKES_PER_S if self._context else 0)

    async def _hand_on(self, visit: _Visit) -> None:
        def create() -> asyncio.Protocol:
            return self._create_protocol(lambda: self._forget(visit))

        has_tls = self._context is not None
        try:
            await self._running_loop().connect_accepted_socket(
                create,
                visit.connection,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.patience_s if has_tls else None,
                ssl_shutdown_timeout=_GOODBYE_S if has_tls else None,
            )
            self._waiting.discard(visit)
        except asyncio.CancelledError:
            self._turn_away(visit)
            raise
        except Exception as error:
            if not isinstance(error, OSError):  # as those of TLS and of time are
                logger.error("a connection could not be served: %s", type(error).__name__)
            self._turn_away(visit, "handshake")

    def _run_out_of_patience(self, visit: _Visit) -> None:
        self._turn_away(visit, visit.reason)

    def _turn_away(self, visit: _Visit, reason: Refusal | None = None) -> None:
        if visit.timer is not None:
            visit.timer.cancel()
        if visit.connection.fileno() >= 0 and visit.handshake is None:
            self._running_loop().remove_reader(visit.connection)
        self._forget(visit)
        self._refuse(reason, visit.connection)

    def _refuse(self, reason: Refusal | None, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.close()
        if reason is None:
            return
        self._refused[reason] += 1
        if reason in ("in_all", "address", "files"):
            self._warn(f"connections are turned away ({reason}): {self.num_open} are open")

    def _forget(self, visit: _Visit) -> None:
        self._waiting.discard(visit)
        if not visit.is_counted:
            return
        visit.is_counted = False
        self.num_open -= 1
        self._num_open_of[visit.address] -= 1
        if not self._num_open_of[visit.address]:
            del self._num_open_of[visit.address]

    def _stop_accepting_for_now(self) -> None:
        # The socket stays readable: without a pause the event loop would do nothing else.
        self._refused["files"] += 1
        self._warn("no file descriptor is left for another connection: raise `ulimit -n`")
        loop = self._running_loop()
        loop.remove_reader(self._listening)
        self._pause = loop.call_later(
            _NO_FILES_PAUSE_S, lambda: loop.add_reader(self._listening, self._accept)
        )

    def _warn(self, text: str) -> None:
        if time.monotonic() - self._warned_s >= _SECONDS_BETWEEN_WARNINGS:
            self._warned_s = time.monotonic()
            logger.warning("%s", text)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None, "open() comes first"
        return self._loop


def _address_of(host: str) -> str:
    """Whom a connection counts for: who has one IPv6 address has 2^64 of them."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(address.ipv4_mapped or ipaddress.IPv6Address(int(address) >> 64 << 64))
