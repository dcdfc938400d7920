"""The gateway's socket: HTTP/1.1 with or without TLS, bounded connections, a graceful end.

Runs in the event loop of whoever starts it. Knows nothing of what is served.
"""

import asyncio
import logging

import uvicorn
from starlette.types import ASGIApp

from infill_cluster.config import GatewaySection
from infill_cluster.gateway.bounded_protocol import bounded_protocol
from infill_cluster.security.certificates import RenewableCertificate
from infill_engine.api import ConfigError
from infill_engine.server.listening import listen

logger = logging.getLogger(__name__)

_KEEP_ALIVE_S = 75
"""Idle connections are kept this long: a handshake for each keystroke would be felt."""
_BACKLOG = 1024
_MAX_HEAD_BYTES = 65_536


class Listener:
    """A listening socket that serves an application until it is drained."""

    def __init__(
        self, app: ASGIApp, gateway: GatewaySection, certificate: RenewableCertificate | None
    ) -> None:
        """Take the port; `start` serves.

        Raises:
            ConfigError: the port or the address cannot be had.
        """
        self._socket = listen(
            gateway.host, gateway.port, _BACKLOG, "Set another gateway.host or gateway.port."
        )
        limits = gateway.limits
        config = uvicorn.Config(
            app,
            http=bounded_protocol(limits.head_timeout_s, limits.write_timeout_s),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            limit_concurrency=limits.max_connections,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        config.load()
        # Set here, as uvicorn itself would ask for a key's password on the terminal.
        config.ssl = None if certificate is None else certificate.context
        self._server = uvicorn.Server(config)
        self._config = config
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

    async def start(self) -> None:
        """Serve from now on; returns once connections are accepted."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise ConfigError("The gateway ended before it could serve.")
            await asyncio.sleep(0.01)
        logger.info("gateway listens on %s:%d", *self.address)

    async def drain(self, timeout_s: float) -> None:
        """Accept nothing new, let what is being answered end, but wait no longer than that."""
        if self._serving is None:
            self._socket.close()
            return
        self._config.timeout_graceful_shutdown = max(1, round(timeout_s))
        self._server.should_exit = True
        await self._serving
        self._serving = None
