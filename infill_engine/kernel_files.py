"""Where compiled kernels are kept, so that only the first start on a machine compiles them.

Knows no kernel.
"""

import logging
import os
import tempfile
from pathlib import Path

import platformdirs

logger = logging.getLogger(__name__)

_VARIABLE = "TRITON_CACHE_DIR"


def kernel_folder() -> Path:
    """Return the user's own folder of compiled kernels, which need not exist."""
    return platformdirs.user_cache_path("infill-ls") / "kernels"


def keep_compiled_kernels() -> Path:
    """Have Triton keep what it compiles in the user's cache folder; returns that folder.

    A folder the user has named in TRITON_CACHE_DIR stays. Where nothing can be written, compiled
    kernels go to a temporary folder and are lost with it. Call it before a kernel first runs.
    """
    if named := os.environ.get(_VARIABLE):
        return Path(named)
    folder = kernel_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        folder = Path(tempfile.mkdtemp(prefix="infill-ls-kernels-"))
        logger.warning("compiled kernels cannot be kept: %s", error.strerror)
    os.environ[_VARIABLE] = str(folder)
    return folder
