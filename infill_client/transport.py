"""What both clients share: how to call the engine over HTTP, and what its answers mean.

Every failure of the connection becomes an error of the contract's tree. httpx is imported when
first needed: it takes longer to import than the rest of a language server's start.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from infill_client.address import EngineAddress
from infill_engine.api import (
    ConfigError,
    EngineUnavailable,
    InfillError,
    InfillResult,
    InfillUpdate,
    RequestInvalid,
)

if TYPE_CHECKING:
    import ssl

    import httpx

INFILL_PATH = "/v1/infill"
HEALTH_PATH = "/v1/health"
DOCUMENT_HEADER = "X-Infill-Document"
_CONNECT_TIMEOUT_S = 5.0
_READ_TIMEOUT_S = 60.0
"""The engine sends a sign of life every 15 s while it works."""

InfillEvent = InfillUpdate | InfillResult


def http_options(address: EngineAddress) -> dict[str, Any]:
    """Return the constructor arguments of an httpx client for `address`.

    Raises:
        ConfigError: its file of certificates cannot be used.
    """
    import httpx

    return {
        "base_url": address.url,
        "headers": {"Authorization": f"Bearer {address.token}"} if address.token else {},
        "timeout": httpx.Timeout(_READ_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
        # A proxy set in the environment must not see what stays on this machine, and loading
        # the certificate store takes 30 ms that a loopback connection does not need.
        "trust_env": not address.is_loopback,
        "verify": _who_may_vouch(address),
    }


def _who_may_vouch(address: EngineAddress) -> "bool | ssl.SSLContext":
    if not address.url.startswith("https") or not address.ca_file:
        return address.url.startswith("https")
    import ssl

    try:
        return ssl.create_default_context(cafile=Path(address.ca_file).expanduser())
    except OSError as error:  # SSLError is one of them
        raise ConfigError(
            f"engine.caFile {address.ca_file} cannot be used ({error.strerror or error}); it must "
            "be a file with the certificates, in PEM, of who signed the server's."
        ) from None


def infill_headers(document_id: str) -> dict[str, str]:
    """Return the headers of an infill request; `document_id` may hold any character."""
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if document_id:
        headers[DOCUMENT_HEADER] = document_id.encode("unicode_escape").decode("ascii")
    return headers


def error_of_answer(status_code: int, body: bytes) -> InfillError:
    """Return the error an answer other than 200 stands for."""
    from infill_engine.wire import error_from_json

    error = error_from_json(body)
    if type(error) is InfillError and status_code != 500:
        return EngineUnavailable(
            f"What answers at the engine's address is no infill-ls engine (HTTP {status_code}). "
            'For a server that speaks OpenAI\'s API set engine.kind to "openai".'
        )
    return error


def read_event(name: str, data: str) -> InfillEvent | None:
    """Return what one server-sent event says; None for an event of a kind we do not know.

    Raises:
        InfillError: an `error` event, as the error of its code.
        EngineUnavailable: an event that cannot be read.
    """
    from infill_engine.wire import error_from_json, result_from_json, update_from_json

    try:
        if name == "step":
            return update_from_json(data)
        if name == "done":
            return result_from_json(data)
    except RequestInvalid as error:
        raise EngineUnavailable(
            f"The engine's answer cannot be read ({error}). Its version may differ from ours: "
            "`infill-ls engine stop` lets the next request start ours."
        ) from None
    if name == "error":
        raise error_from_json(data)
    return None


def unreachable(error: Exception, address: EngineAddress) -> EngineUnavailable:
    """Return the one sentence for a failed or broken connection."""
    import httpx

    problem = _certificate_problem(error)
    if problem:
        return EngineUnavailable(
            f"The certificate of {address.url} is not accepted: {problem}. Whoever runs it must "
            "renew it; if a private authority signed it, name its certificate in engine.caFile."
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return EngineUnavailable(f"No engine answers at {address.url}.")
    if isinstance(error, httpx.TimeoutException):
        return EngineUnavailable(f"The engine at {address.url} does not answer any more.")
    return broken_off()


def _certificate_problem(error: BaseException | None) -> str:
    """Return why a certificate was not accepted; "" when that is not what failed."""
    import ssl

    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        error = error.__cause__ or error.__context__
    return ""


def broken_off() -> EngineUnavailable:
    """Return the one sentence for an answer that ended before its last event."""
    return EngineUnavailable(
        "The engine ended while it worked on the request. Ask again to start another; "
        "its log says why it ended (`infill-ls engine status` names the file)."
    )


def transport_errors() -> "tuple[type[Exception], ...]":
    """Return the exceptions that mean the connection, not the request, is at fault."""
    import httpx
    import httpx_sse

    return (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx_sse.SSEError)


def check_answer(response: "httpx.Response") -> None:
    """Raise the error an answer other than 200 stands for; its body must have been read."""
    if response.status_code != 200:
        raise error_of_answer(response.status_code, response.content)
