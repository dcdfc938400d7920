"""The engines of a Ray Serve deployment, as the gateway wants them. Knows nothing of HTTP.

An engine that works gives a sign every second. One that does not may have been stopped, or cut off
from the network, which Ray notices after half a minute and more: until then its requests are given
up, and others avoid it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import cast

from ray import serve
from ray.exceptions import RayActorError, RayError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentResponseGenerator

from infill_cluster.deployments.names import ENGINE_APPLICATION, ENGINE_DEPLOYMENT
from infill_cluster.engine_call import HEARTBEAT, AnswerPart, EngineCall
from infill_cluster.gateway.replicas import ReplicaLost
from infill_cluster.routing import Placement
from infill_cluster.watched_routers import placement_counts, suspect_server_of
from infill_engine.api import EngineBusy, EngineUnavailable, InfillError

logger = logging.getLogger(__name__)

_SUSPECTED_S = 60.0
"""By then Ray has replaced it, or it was only slow."""


class ServeReplicas:
    """Calls through a deployment handle; use it from one event loop."""

    def __init__(self, silent_after_s: float) -> None:
        """Begin without any engine.

        Args:
            silent_after_s: an engine that has begun to answer and then gives no sign for so long
                counts as lost.
        """
        self._silent_after_s = silent_after_s
        self._handle = serve.get_deployment_handle(
            ENGINE_DEPLOYMENT, app_name=ENGINE_APPLICATION
        ).options(stream=True, method_name="answer")

    async def ask(self, call: EngineCall, key: str) -> AsyncGenerator[AnswerPart, None]:
        """See `Replicas.ask`."""
        response = cast(
            "DeploymentResponseGenerator[AnswerPart]",
            self._handle.options(session_id=key).remote(call),
        )
        is_ended = False
        # Without end at first: while no engine is free, Ray Serve says nothing.
        deadline: float | None = None
        loop, parts = asyncio.get_running_loop(), aiter(response)
        try:
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        part = await anext(parts)
                except StopAsyncIteration:
                    break
                if part != HEARTBEAT:
                    yield part
                deadline = loop.time() + self._silent_after_s
            is_ended = True
        except TimeoutError:
            logger.error("no sign of an engine for %g s: it counts as lost", self._silent_after_s)
            loop.call_later(_SUSPECTED_S, suspect_server_of(key))
            raise ReplicaLost from None
        except RayActorError:
            raise ReplicaLost from None
        except BackPressureError:
            raise EngineBusy("All engines have as much to do as they may. Ask again.") from None
        except (DeploymentUnavailableError, RayServeException) as error:
            logger.error("no engine: %s", type(error).__name__)
            raise EngineUnavailable("No engine of the cluster can answer now. Ask again.") from None
        except RayError as error:
            # The text of a remote exception may quote the user's code: only its type is told.
            logger.error("the engine failed: %s", type(error).__name__)
            raise InfillError(
                f"The engine failed on this request ({type(error).__name__})."
            ) from None
        finally:
            if not is_ended:
                response.cancel()

    def placements(self) -> Mapping[Placement, int]:
        """See `Replicas.placements`."""
        return placement_counts()
