"""The same engine API for callers without an event loop: the command line and the launcher.

Raises only errors of the contract's tree. Knows nothing of how engines are found or started.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

from infill_client.address import EngineAddress
from infill_client.transport import (
    HEALTH_PATH,
    INFILL_PATH,
    InfillEvent,
    broken_off,
    check_answer,
    http_options,
    infill_headers,
    read_event,
    transport_errors,
    unreachable,
)
from infill_engine.api import InfillRequest, InfillResult

if TYPE_CHECKING:
    from infill_engine.wire import EngineHealth


def stream_infill(
    address: EngineAddress, request: InfillRequest, document_id: str = ""
) -> Generator[InfillEvent, None, None]:
    """Yield an update after every denoising step, then exactly one result.

    Closing the iterator cancels the request within one denoising step.

    Raises:
        InfillError: as the engine says, or EngineUnavailable when it cannot be reached.
    """
    import httpx
    from httpx_sse import EventSource

    from infill_engine.wire import request_to_json

    body = request_to_json(request)
    headers = infill_headers(document_id)
    try:
        with (
            httpx.Client(**http_options(address)) as http,
            http.stream("POST", INFILL_PATH, content=body, headers=headers) as response,
        ):
            if response.status_code != 200:
                response.read()
            check_answer(response)
            for sse in EventSource(response).iter_sse():
                event = read_event(sse.event, sse.data)
                if event is not None:
                    yield event
                if isinstance(event, InfillResult):
                    return
    except transport_errors() as error:
        raise unreachable(error, address) from None
    raise broken_off()


def fetch_health(address: EngineAddress, timeout_s: float = 5.0) -> "EngineHealth":
    """Ask how the engine is.

    Raises:
        EngineUnavailable: it cannot be reached, or what answers is no engine.
        ConfigError: it does not accept the token.
    """
    import httpx

    from infill_engine.wire import health_from_json

    try:
        with httpx.Client(**http_options(address)) as http:
            response = http.get(HEALTH_PATH, timeout=timeout_s)
    except transport_errors() as error:
        raise unreachable(error, address) from None
    check_answer(response)
    return health_from_json(response.content)
