"""How many files and sockets this process may have open, and how many of them connections may be.

Knows nothing of the gateway's configuration.
"""

import sys

_RESERVED = 512
"""For everything but clients: Ray's own sockets, the audit file, tokens, libraries."""
_ENOUGH = 65_536


def raise_open_files_limit() -> int:
    """Take all open files that the system grants this process; returns how many those are."""
    if sys.platform == "win32":
        return 8192  # sockets are not counted as files there
    import resource

    soft, granted = resource.getrlimit(resource.RLIMIT_NOFILE)
    # "Infinity" is not meant: beyond some number every system refuses.
    hard = _ENOUGH if granted == resource.RLIM_INFINITY else granted
    if soft != resource.RLIM_INFINITY and soft < hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, granted))
        except (OSError, ValueError):  # macOS grants more than it gives
            return soft
        return hard
    return hard if soft == resource.RLIM_INFINITY else soft


def max_connections_of(num_files: int) -> int:
    """How many connections fit into so many open files, at least 1."""
    return max(1, num_files - _RESERVED)
