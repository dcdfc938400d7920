"""A listening TCP socket, or one sentence about why there is none.

Knows nothing of who serves on it.
"""

import errno
import os
import socket

from infill_engine.api import ConfigError


def listen(host: str, port: int, backlog: int, what_to_do: str) -> socket.socket:
    """Listen on a port; 0 takes a free one.

    Args:
        host: address, IPv4 or IPv6.
        port: TCP port.
        backlog: connections that may wait to be accepted.
        what_to_do: the sentence that ends the message when the port cannot be had.

    Raises:
        ConfigError: the port is taken or refused.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere this option would let two processes share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"is refused ({error.strerror})"
        raise ConfigError(f"Port {port} on {host} {reason}. {what_to_do}") from None
    return listener
