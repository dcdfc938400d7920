"""Text in, text out: fill the gap between a prefix and a suffix by block text diffusion.

Knows nothing of LSP, editors or HTTP clients. `api` is the contract (standard library only);
`engine` is where a reader starts.
"""

import os

# Must be set before torch loads its OpenMP runtime, hence here. Idle threads that spin made a
# denoising step up to 14 times slower on a machine that also did something else, which an
# editor's machine always does (docs/decisions/0003_idle_threads_sleep.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
