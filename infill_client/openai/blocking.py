"""The same client for callers without an event loop: the command line.

Knows nothing of what is asked.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator

from infill_client.credentials import address_of
from infill_client.openai.client import OpenAiClient
from infill_client.openai.probe import ProbedServer, probe
from infill_client.settings import EngineSettings
from infill_client.transport import InfillEvent
from infill_engine.api import ConfigError, InfillRequest


def find_server(settings: EngineSettings) -> ProbedServer:
    """Return the server that the settings name, and what it can do. Blocks.

    Raises:
        ConfigError: no address is given, or the token, the model or the certificate is wrong.
        EngineUnavailable: it does not answer, or is another kind of server.
        EngineBusy: it has no time now.
    """
    if not settings.url:
        raise ConfigError(
            'kind is "openai", but url names no server; give its address, such as '
            "http://127.0.0.1:8000."
        )
    return asyncio.run(probe(address_of(settings), settings.server_model))


def stream_infill(
    server: ProbedServer, request: InfillRequest
) -> Generator[InfillEvent, None, None]:
    """Yield an update with every piece of the answer, then exactly one result.

    Closing the iterator closes the connection.

    Raises:
        InfillError: as the server refuses, or EngineUnavailable when it cannot be reached.
    """
    with asyncio.Runner() as runner:
        client = OpenAiClient(server)
        events = client.stream(request)

        async def close() -> None:
            await events.aclose()
            await client.aclose()

        try:
            while (event := runner.run(_next(events))) is not None:
                yield event
        finally:
            runner.run(close())


async def _next(events: AsyncGenerator[InfillEvent, None]) -> InfillEvent | None:
    return await anext(events, None)
