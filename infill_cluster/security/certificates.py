"""The certificate and key that a gateway shows, checked before it listens and when renewed.

Knows nothing of sockets; what a client thinks of the certificate's issuer is the client's affair.
"""

import logging
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infill_engine.api import ConfigError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A certificate that can be used now.

    Attributes:
        context: for a listening socket; TLS 1.2 and newer.
        expires: when it will no longer be valid.
    """

    context: ssl.SSLContext
    expires: datetime


def load_certificate(
    certificate: Path, key: Path, now: datetime | None = None
) -> ServerCertificate:
    """Load a PEM certificate (with its chain) and its private key without a password.

    Args:
        certificate: PEM file, the server's own certificate first.
        key: PEM file of its private key.
        now: with a time zone; None takes the clock.

    Raises:
        ConfigError: a file cannot be read, they do not belong together, or the certificate is
            expired or not yet valid; the message has the date.
    """
    from cryptography import x509

    now = now or datetime.now(UTC)
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"The certificate {certificate} cannot be read ({error.strerror})."
        ) from None
    except ValueError:
        raise ConfigError(f"{certificate} holds no certificate in PEM format.") from None
    begins, expires = found.not_valid_before_utc, found.not_valid_after_utc
    if now >= expires:
        raise ConfigError(
            f"The certificate {certificate} expired on {_day(expires)}. Put a renewed one there."
        )
    if now < begins:
        raise ConfigError(
            f"The certificate {certificate} is valid only from {_day(begins)}; this machine's "
            f"clock says {_day(now)}. Set the clock, or use another certificate."
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except ssl.SSLError:
        raise ConfigError(
            f"{key} is not the private key of {certificate}, or is not in PEM format, or needs a "
            "password. Give the certificate's own key, without a password and with mode 0600."
        ) from None
    except OSError as error:
        raise ConfigError(f"The key {key} cannot be read ({error.strerror}).") from None
    return ServerCertificate(context, expires)


class RenewableCertificate:
    """A certificate whose files may be replaced while it is in use.

    Connections that are open keep the old one; new ones get what `refresh` found last.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """Load both files; raises ConfigError as `load_certificate` does."""
        self._paths = (certificate, key)
        self._seen = self._signature()
        found = load_certificate(certificate, key)
        self.context = found.context
        self.expires = found.expires

    def refresh(self) -> None:
        """Load the files again if they have changed; what cannot be used is not taken over."""
        signature = self._signature()
        if signature == self._seen:
            return
        self._seen = signature
        try:
            found = load_certificate(*self._paths)
            self.context.load_cert_chain(*self._paths, password=_refuse_password)
        except (ConfigError, OSError) as error:  # an SSLError is an OSError
            logger.error("the certificate in use is kept: %s", error)
            return
        self.expires = found.expires
        logger.info("the certificate was renewed and is valid until %s", _day(self.expires))

    def _signature(self) -> tuple[tuple[int, int], ...]:
        try:
            return tuple((s.st_mtime_ns, s.st_ino) for s in map(Path.stat, self._paths))
        except OSError:
            return ()


def _refuse_password() -> str:
    # OpenSSL would ask on the terminal, and a service has none.
    return ""


def _day(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
