"""Makes the `training` package importable: it is run from a checkout and never installed."""

import sys
from pathlib import Path

_ROOT = str(Path(__file__).parents[2])
if _ROOT not in sys.path:
    # Last, so that an installed package of the same name as a folder here still wins.
    sys.path.append(_ROOT)
