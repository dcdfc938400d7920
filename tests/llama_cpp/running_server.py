"""A server of OpenAI's API that runs: where it is, and the one that a maintainer names.

    INFILL_TEST_OPENAI_URL=http://127.0.0.1:8000 INFILL_TEST_OPENAI_TOKEN=... \\
        python -m pytest tests/llama_cpp

runs the tests against vLLM, say, instead of the server that they start. Knows nothing of tests.
"""

import os
from dataclasses import dataclass
from typing import Any

from infill_client.address import EngineAddress
from infill_client.openai.probe import Capabilities


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server.

    Attributes:
        address: where it is, and its token.
        model: which of its models; "" for the only one.
        can: what it is known to be able to do; None where nothing is.
    """

    address: EngineAddress
    model: str = ""
    can: Capabilities | None = None

    @property
    def with_wrong_token(self) -> EngineAddress:
        """The same place, with a token that is not accepted there."""
        return EngineAddress(self.address.url, f"not-{self.address.token}")

    def settings(self, **more: str) -> dict[str, Any]:
        """Return an editor's `engine` for it."""
        return {"kind": "openai", "url": self.address.url, "model": self.model, **more}


def named_server() -> RunningServer | None:
    """Return the server that the environment names, if it does."""
    url, token, model = (
        os.environ.get(f"INFILL_TEST_OPENAI_{what}", "") for what in ("URL", "TOKEN", "MODEL")
    )
    return RunningServer(EngineAddress(url, token), model) if url else None
