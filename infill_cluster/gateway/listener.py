"""The gateway's socket: HTTP/1.1 with or without TLS, bounded connections, a graceful end.

Runs in the event loop of whoever starts it. Knows nothing of what is served.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from infill_cluster.config import GatewaySection, LimitsSection
from infill_cluster.gateway.bounded_protocol import bounded_protocol
from infill_cluster.gateway.door import Door, DoorLimits, Refusal
from infill_cluster.gateway.metrics import GatewayMetrics
from infill_cluster.gateway.open_files import max_connections_of, raise_open_files_limit
from infill_cluster.security.certificates import RenewableCertificate
from infill_engine.api import ConfigError, EngineBusy
from infill_engine.server.app import error_response
from infill_engine.server.listening import listen

logger = logging.getLogger(__name__)

_KEEP_ALIVE_S = 75
"""Idle connections are kept this long: a handshake for each keystroke would be felt."""
_BACKLOG = 4096
"""Linux caps it at net.core.somaxconn, which is 4096 by default."""
_MAX_HEAD_BYTES = 65_536
_SHARE_TOLD = 0.05
"""Of the connections: so many above the limit are told so; any more are closed as they come."""


class Listener:
    """A listening socket that serves an application until it is drained."""

    def __init__(
        self, app: ASGIApp, gateway: GatewaySection, certificate: RenewableCertificate | None
    ) -> None:
        """Take the port; `start` serves.

        Raises:
            ConfigError: the port or the address cannot be had.
        """
        limits = gateway.limits
        self._max_connections = _max_connections(limits)
        self._app = app
        self._socket = listen(
            gateway.host, gateway.port, _BACKLOG, "Set another gateway.host or gateway.port."
        )
        self._door = Door(
            self._socket,
            DoorLimits(
                round(self._max_connections * (1 + _SHARE_TOLD)) + 1,
                limits.max_connections_per_address,
                limits.head_timeout_s,
            ),
            # Given here, as uvicorn itself would ask for a key's password on the terminal.
            None if certificate is None else certificate.context,
        )
        self._protocol = bounded_protocol(limits.head_timeout_s, limits.write_timeout_s)
        self._config = uvicorn.Config(
            self._serve,
            http=self._protocol,
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        self._config.load()
        self._server = uvicorn.Server(self._config)
        self._serving: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port listened on."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    @property
    def is_serving(self) -> bool:
        """Whether connections are accepted."""
        return self._serving is not None and not self._serving.done() and self._server.started

    @property
    def refused(self) -> Mapping[Refusal, int]:
        """Connections turned away so far, by reason."""
        return self._door.refused

    @property
    def num_connections(self) -> int:
        """Connections open now."""
        return self._door.num_open

    def watch(self, metrics: GatewayMetrics) -> None:
        """Tell of the connections in the gateway's metrics."""
        metrics.watch(
            "infill_gateway_open_connections", "Connections open.", lambda: self.num_connections
        )
        metrics.watch(
            "infill_gateway_max_connections",
            "Connections that may be open, by configuration and by the limit of open files.",
            lambda: self._max_connections,
        )
        metrics.watch_counts(
            "infill_gateway_refused_connections",
            "Connections closed before a request was read, by reason.",
            "reason",
            lambda: self.refused,
        )

    async def start(self) -> None:
        """Serve from now on; returns once connections are accepted."""
        # The door accepts, uvicorn serves: it listens on nothing itself.
        self._serving = asyncio.create_task(self._server.serve(sockets=[]))
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise ConfigError("The gateway ended before it could serve.")
            await asyncio.sleep(0.01)
        self._door.open(self._create_protocol)
        logger.info("gateway listens on %s:%d", *self.address)

    async def drain(self, timeout_s: float) -> None:
        """Accept nothing new, let what is being answered end, but wait no longer than that."""
        self._door.close()
        if self._serving is None:
            return
        self._config.timeout_graceful_shutdown = max(1, round(timeout_s))
        self._server.should_exit = True
        await self._serving
        self._serving = None

    def _create_protocol(self, on_lost: Callable[[], None]) -> asyncio.Protocol:
        protocol = self._protocol(
            config=self._config, server_state=self._server.server_state, app_state={}
        )
        protocol.on_lost = on_lost
        return protocol

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.num_connections <= self._max_connections:
            await self._app(scope, receive, send)
            return
        answer = error_response(
            EngineBusy(
                f"The gateway has {self.num_connections} connections open; at most "
                f"{self._max_connections} may be. Ask again in a moment."
            )
        )
        answer.headers["Retry-After"] = "1"
        answer.headers["Connection"] = "close"
        await answer(scope, receive, send)


def _max_connections(limits: LimitsSection) -> int:
    """As configured, or as many as the limit of open files leaves room for."""
    num_files = raise_open_files_limit()
    # A few more are let in, to be told.
    fitting = max(1, round(max_connections_of(num_files) / (1 + _SHARE_TOLD)) - 1)
    if fitting < limits.max_connections:
        logger.warning(
            "max_connections is %d, but %d open files leave room for %d: raise `ulimit -n`",
            limits.max_connections,
            num_files,
            fitting,
        )
    return min(fitting, limits.max_connections)
