"""One gateway inside Ray: a listening socket of its own, and calls to the engines behind it.

Ray Serve's own HTTP proxies are not used: they know no users, no limit per user and no deadline for
a slow reader (decision 0034). Serve starts, watches, replaces and ends gateways all the same.
"""

import ipaddress
import logging
from typing import Any

import ray.util

from infill_cluster.config import parse_config
from infill_cluster.deployments.serve_replicas import ServeReplicas
from infill_cluster.gateway.app import build_gateway_app
from infill_cluster.gateway.listener import Listener
from infill_cluster.gateway.metrics import GatewayMetrics
from infill_cluster.security.audit import AuditLog
from infill_cluster.security.certificates import RenewableCertificate
from infill_cluster.security.tokens import TokenBook

logger = logging.getLogger(__name__)


class GatewayReplica:
    """The gateway that one replica holds."""

    async def __init__(self, gateway: dict[str, Any], model: str) -> None:
        """Listen and serve.

        Args:
            gateway: fields of `config.GatewaySection`.
            model: which the engines run, to be told while none of them is ready.

        Raises:
            ConfigError: certificate, tokens, audit file or port cannot be used.
        """
        section = parse_config({"gateway": gateway}, "The gateway's configuration").gateway
        tls = section.tls
        certificate = None if tls is None else RenewableCertificate(tls.certificate, tls.key)
        book = section.tokens_file and TokenBook(section.tokens_file)
        metrics = GatewayMetrics()
        if certificate is not None:
            metrics.watch(
                "infill_gateway_certificate_expires_seconds",
                "When the certificate expires (Unix seconds).",
                lambda: certificate.expires.timestamp(),
            )
        self._config = {"gateway": gateway, "model": model}
        self._certificate = certificate
        self._drain_s = section.drain_s
        self._audit = AuditLog(section.audit_file)
        replicas = ServeReplicas(section.engine_silent_after_s)
        app = build_gateway_app(section.limits, model, replicas, book, self._audit, metrics)
        self._listener = Listener(app, section, certificate)
        self._listener.watch(metrics)
        await self._listener.start()

    def url(self) -> str:
        """Return where clients reach this gateway: its node's address where it listens on all."""
        host, port = self._listener.address
        if ipaddress.ip_address(host).is_unspecified:
            host = ray.util.get_node_ip_address()
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def config(self) -> dict[str, Any]:
        """Return what this gateway was made with."""
        return self._config

    def check_health(self) -> None:
        """Raise RuntimeError when nothing is served any more; Ray asks now and then.

        A moment to look for a renewed certificate as well.
        """
        if self._certificate is not None:
            self._certificate.refresh()
        if not self._listener.is_serving:
            raise RuntimeError("The gateway does not accept connections any more.")

    async def __del__(self) -> None:
        """Let what is being answered end; Ray calls this when the replica has to go."""
        listener = getattr(self, "_listener", None)
        if listener is not None:
            await listener.drain(self._drain_s)
            self._audit.close()
