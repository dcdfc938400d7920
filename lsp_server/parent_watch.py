"""Ends the server when the editor that started it is gone, as LSP asks of `processId`.

The end of stdin says so too, but not while another process that inherited it holds it open. Knows
nothing of sessions or requests.
"""

import asyncio
from collections.abc import Callable

_EVERY_S = 2.0


def is_running(process_id: int) -> bool:
    """Whether there is such a process."""
    import psutil  # late: nothing at start needs it

    return psutil.pid_exists(process_id)


async def call_when_gone(
    process_id: int,
    end: Callable[[], object],
    is_alive: Callable[[int], bool] = is_running,
    every_s: float = _EVERY_S,
) -> None:
    """Return after calling `end`, once no process has the id any more; looks every few seconds."""
    while is_alive(process_id):
        await asyncio.sleep(every_s)
    end()
