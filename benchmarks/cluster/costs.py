"""What a replica's time costs: on the machine at hand as recorded, on a GPU from published figures.

Knows nothing of who asks.
"""

import bisect
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cluster.typists import Work


@dataclass(frozen=True, slots=True)
class ReplicaCosts:
    """Milliseconds of one replica.

    Attributes:
        name: of the machine and the model.
        source: where the figures are from.
        rows: numbers of requests that share a step, ascending.
        step_ms: of a step for so many rows.
        prefill_ms_per_token: of a prompt.
        prefill_least_ms: however few tokens.
        num_slots: prompts whose KV cache is kept.
        prompt_tokens: of every prompt; 0 takes the recorded number.
        least_steps: fewest steps of a request, 0 takes the recorded number.
        most_steps: most of them; any number between is as likely.
    """

    name: str
    source: str
    rows: tuple[int, ...]
    step_ms: tuple[float, ...]
    prefill_ms_per_token: float
    prefill_least_ms: float
    num_slots: int
    prompt_tokens: int = 0
    least_steps: int = 0
    most_steps: int = 0

    @property
    def max_rows(self) -> int:
        """Most requests that run at once."""
        return self.rows[-1]

    def step_ms_of(self, num_rows: int) -> float:
        """Time of a step that so many requests share, interpolated."""
        idx = bisect.bisect_left(self.rows, num_rows)
        if self.rows[idx] == num_rows:
            return self.step_ms[idx]
        share = (num_rows - self.rows[idx - 1]) / (self.rows[idx] - self.rows[idx - 1])
        return self.step_ms[idx - 1] + share * (self.step_ms[idx] - self.step_ms[idx - 1])

    def num_steps_of(self, work: Work, pick: random.Random) -> int:
        """Steps of a request on this model."""
        if self.least_steps == 0:
            return work.num_steps
        return pick.randint(self.least_steps, self.most_steps)

    def prefill_ms_of(self, work: Work, is_cached: bool) -> float:
        """Time to bring a KV cache up to the request's prompt."""
        num_tokens = work.num_new_tokens
        if not is_cached:
            num_tokens = self.prompt_tokens or work.num_prompt_tokens
        if num_tokens == 0:
            return 0.0
        return max(self.prefill_least_ms, num_tokens * self.prefill_ms_per_token)


def recorded_costs(works: Sequence[Work]) -> ReplicaCosts:
    """One core of this machine with the embedded model: rows share nothing worth counting on."""
    step_ms = statistics.median(work.step_ms for work in works if work.num_steps)
    per_token = statistics.median(work.prefill_ms_per_token for work in works)
    rows = (1, 2, 4)
    return ReplicaCosts(
        "this machine, embedded model",
        "recorded in this run",
        rows,
        tuple(step_ms * num for num in rows),
        per_token,
        0.0,
        num_slots=16,
    )


H100_FP8 = ReplicaCosts(
    "H100, DiffusionGemma in FP8",
    "modelled: 14.5 ms a pass at one canvas of 256 (vLLM's published 1,008 tokens/s at 16 steps), "
    "growing with further canvases as the bytes and FLOPs do (6.7 / 8.1 / 10.8 / 16.4); 118 ms to "
    "prefill 4,096 tokens; 6 ms for the few of a keystroke; 6 to 14 steps, as whole canvases are "
    "published to take 12 to 16 and a line has settled earlier",
    (1, 2, 4, 8),
    (14.5, 14.5 * 8.1 / 6.7, 14.5 * 10.8 / 6.7, 14.5 * 16.4 / 6.7),
    118 / 4096,
    6.0,
    num_slots=64,
    prompt_tokens=1500,
    least_steps=6,
    most_steps=14,
)
