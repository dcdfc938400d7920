"""Where an engine answers and with which key. Knows nothing of how it got there."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from infill_engine.api import ConfigError

_LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """An engine's base URL and bearer token; printing it does not show the token.

    Attributes:
        url: https, or http on this machine.
        token: what proves who asks; "" sends none.
        ca_file: certificates, in PEM, of who may vouch for the server instead of the public ones.
    """

    url: str
    token: str = field(repr=False)
    ca_file: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot work or would send code in the clear; raises ConfigError."""
        try:
            parts = urlsplit(self.url)
            host, _port = parts.hostname, parts.port
        except ValueError:
            host, parts = None, urlsplit("")
        if not host or parts.scheme not in ("http", "https"):
            raise ConfigError(
                f"engine.url is {self.url!r}; give a URL like https://host:port, or leave it "
                "empty for an engine on this machine."
            )
        if parts.scheme == "http" and host not in _LOOPBACK_HOSTS:
            raise ConfigError(
                f"engine.url is {self.url!r}; beyond this machine only https is allowed, since "
                "your code and the token would travel unencrypted."
            )
        if not self.token.isascii() or not self.token.isprintable():
            raise ConfigError("engine.token holds characters that no HTTP header can carry.")

    @property
    def is_loopback(self) -> bool:
        """Whether the engine is on this machine."""
        return urlsplit(self.url).hostname in _LOOPBACK_HOSTS
