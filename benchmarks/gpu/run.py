"""One run of the benchmark: its results, its log and its time. Knows nothing of what is measured.

Results are written after every stage, so that a run that is killed keeps what it had.
"""

import gc
import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.scale import Scale

RESULTS_FILE, LOG_FILE = "results.json", "raw.log"

Data = dict[str, Any]


class Run:
    """What stages are given; not safe for several threads.

    Attributes:
        scale: sizes of everything.
        seed: every generator is seeded from it.
        results: what is written to results.json; `results["stages"]` holds each stage's data.
    """

    def __init__(self, scale: Scale, folder: Path, seed: int, minutes: float, facts: Data) -> None:
        self.scale, self.seed = scale, seed
        self.results: Data = {**facts, "scale": scale.name, "seed": seed, "stages": {}}
        self._folder = folder
        self._begin = time.monotonic()
        self._end = self._begin + 60 * minutes
        self._stage_end = self._end
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / LOG_FILE).open("w", encoding="utf-8")

    @property
    def stages(self) -> Data:
        """Data of every stage so far."""
        return self.results["stages"]

    @property
    def has_failed(self) -> bool:
        """Whether any stage failed."""
        return any(stage["status"] == "failed" for stage in self.stages.values())

    def has_time(self, needed_s: float = 0.0) -> bool:
        """Whether the present stage may begin something that takes so long."""
        return time.monotonic() + needed_s < self._stage_end

    def log(self, message: str) -> None:
        """One line, on the screen and in the log, with seconds since the start."""
        line = f"[{time.monotonic() - self._begin:7.1f} s] {message}"
        print(line, flush=True)
        self._log.write(line + "\n")
        self._log.flush()

    def note_failure(self, what: str, error: Exception) -> str:
        """One line on the screen, where it happened in the log; returns the line's reason."""
        why = reason(error)
        self.log(f"{what} failed: {why}")
        self._log.writelines(traceback.format_exception(error))
        return why

    def do(self, name: str, stage: Callable[["Run", Data], None], share_left: float) -> None:
        """Run one stage within `share_left` of the time left, and write what there is.

        A stage that raises is marked as failed with its reason, and the next one begins.

        Args:
            name: key of its data.
            stage: fills the dictionary it is given; what it has put there stays if it raises. It
                may set "status" itself.
            share_left: 0 to 1.
        """
        data: Data = {"status": "done"}
        self.stages[name] = data
        begin = time.monotonic()
        self._stage_end = begin + share_left * max(0.0, self._end - begin)
        if not self.has_time():
            data.update(status="skipped", why="no time was left")
        else:
            self.log(f"{name} ...")
            try:
                stage(self, data)
            # Whatever goes wrong in one stage, the others' numbers are worth having.
            except Exception as error:
                data.update(status="failed", why=self.note_failure(name, error))
        data["seconds"] = round(time.monotonic() - begin, 1)
        self.log(f"{name}: {data['status']} {data.get('why', '')}")
        self.free_memory()
        self.write()

    def free_memory(self) -> None:
        """Give back what no tensor holds any more."""
        gc.collect()
        if self.scale.device.type == "cuda":
            torch.cuda.empty_cache()

    def write(self) -> None:
        """Write results.json as it is now, never half of it."""
        path = self._folder / RESULTS_FILE
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)


def reason(error: BaseException) -> str:
    """An error in one line."""
    first = str(error).strip().split("\n", maxsplit=1)[0][:300]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
