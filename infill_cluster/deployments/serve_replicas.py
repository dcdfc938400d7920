"""The engines of a Ray Serve deployment, as the gateway wants them. Knows nothing of HTTP."""

import logging
from collections.abc import AsyncGenerator, Mapping
from typing import cast

from ray import serve
from ray.exceptions import RayActorError, RayError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentResponseGenerator

from infill_cluster.deployments.names import ENGINE_APPLICATION, ENGINE_DEPLOYMENT
from infill_cluster.engine_call import AnswerPart, EngineCall
from infill_cluster.gateway.replicas import ReplicaLost
from infill_cluster.placement_counts import placement_counts
from infill_cluster.routing import Placement
from infill_engine.api import EngineBusy, EngineUnavailable, InfillError

logger = logging.getLogger(__name__)


class ServeReplicas:
    """Calls through a deployment handle; use it from one event loop."""

    def __init__(self) -> None:
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
        try:
            async for part in response:
                yield part
            is_ended = True
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
