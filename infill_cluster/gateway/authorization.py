"""Lets in whoever shows a token of the team's. Knows nothing of what lies behind."""

from starlette.types import ASGIApp, Receive, Scope, Send

from infill_cluster.security.tokens import TokenBook
from infill_engine.api import ConfigError
from infill_engine.server.app import error_response

USER_KEY = "infill.user"
"""Where the scope of a request says whose it is."""
LOCAL_USER = "local"
"""Whose requests are where no tokens are asked for, which only loopback allows."""


class Authorization:
    """ASGI middleware: 401 without a valid token, else the user's name in the scope."""

    def __init__(self, app: ASGIApp, book: TokenBook | None) -> None:
        self._app = app
        self._book = book
        self.num_refused = 0
        """Requests without a valid token."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        user = self._user_of(scope)
        if user is not None:
            await self._app({**scope, USER_KEY: user}, receive, send)
            return
        self.num_refused += 1
        answer = error_response(
            ConfigError(
                "The token is wrong or was revoked. Ask whoever runs the engine for one "
                "(`infill-ls cluster token add`)."
            )
        )
        answer.headers["WWW-Authenticate"] = "Bearer"
        answer.headers["Connection"] = "close"  # nothing that a stranger goes on to send is read
        await answer(scope, receive, send)

    def _user_of(self, scope: Scope) -> str | None:
        if self._book is None:
            return LOCAL_USER
        got = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        kind, _, token = got.partition(" ")
        return self._book.user_of(token.strip()) if kind.lower() == "bearer" else None
