"""What each engine of the cluster has to do at this moment: what is left behind would show here.

Knows nothing of gateways.
"""

from dataclasses import dataclass

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from infill_cluster.deployments.names import ENGINE_APPLICATION, ENGINE_DEPLOYMENT

_CALL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """One engine.

    Attributes:
        pid: its process, on whichever node that is.
        num_running: requests being denoised.
        num_queued: requests waiting for their turn.
        num_slots_taken: KV slots lent to requests.
    """

    pid: int
    num_running: int
    num_queued: int
    num_slots_taken: int

    def __str__(self) -> str:
        """One line, for a person."""
        return (
            f"engine {self.pid}: {self.num_running} running, {self.num_queued} waiting, "
            f"{self.num_slots_taken} KV slots taken"
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing is done and nothing is held."""
        return not (self.num_running or self.num_queued or self.num_slots_taken)


def engine_loads() -> list[EngineLoad]:
    """Ask every engine; returns those that answer, none where no engine runs."""
    try:
        handle = serve.get_deployment_handle(ENGINE_DEPLOYMENT, app_name=ENGINE_APPLICATION)
        answers = handle.broadcast("load").results(timeout_s=_CALL_TIMEOUT_S)
    except (KeyError, RayServeException, RayError, TimeoutError):
        return []
    return sorted((EngineLoad(**answer) for answer in answers), key=lambda load: load.pid)
