"""Is Ray here? It comes with the extra `cluster` and is imported only where it is needed.

Knows nothing of what Ray is used for.
"""

import importlib.util
import os

from infill_engine.api import ConfigError


def require_ray(starts_one: bool = False) -> None:
    """Make sure that Ray Serve can be imported, and that it tells nobody of its use.

    Args:
        starts_one: a Ray will be started here: its own ports, which run whatever they are told,
            shall obey only who has Ray's token. One that runs already has decided this itself.

    Raises:
        ConfigError: it is not installed.
    """
    # Before Ray is imported: it reads these once.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # A handle goes on after its Ray has ended, and would start another one.
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    if starts_one:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("ray.serve") is None:
        raise ConfigError(
            "Ray Serve is not installed. Run `pip install 'infill-ls[cluster]'`, on every node of "
            "the cluster."
        )
