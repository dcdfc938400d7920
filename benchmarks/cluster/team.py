"""A team that types on a real cluster, every answer compared with that of an engine for one.

Knows nothing of how the cluster is made.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cluster.served import ServedTeam
from benchmarks.distribution import Distribution
from benchmarks.progress_bar import progress_bar
from benchmarks.typing_sessions import TypingSession
from infill_client.client import EngineClient
from infill_engine.api import EngineBusy, InfillError, InfillRequest, InfillResult
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine

_BUSY_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class TeamResult:
    """What a team got.

    Attributes:
        num_users: at once, each asking again as soon as the answer is there.
        latency_ms: from asking to the whole answer.
        requests_per_s: of all.
        share_cached: of the prompts' tokens.
        num_wrong: answers unlike the single engine's.
        num_busy: refusals, asked again.
        num_failed: answers that never came.
    """

    num_users: int
    latency_ms: Distribution
    requests_per_s: float
    share_cached: float
    num_wrong: int
    num_busy: int
    num_failed: int


@dataclass(slots=True)
class _Seen:
    results: list[tuple[InfillRequest, InfillResult, float]]
    num_busy: int = 0
    num_failed: int = 0


async def type_together(
    served: ServedTeam,
    sessions: Sequence[TypingSession],
    num_requests: int,
    has_affinity: bool,
    expected: dict[InfillRequest, str],
) -> TeamResult:
    """Let one user for each session type at once.

    Args:
        served: the cluster.
        sessions: what each user types.
        num_requests: of each user.
        has_affinity: whether a user's document has one name; else each request has a new one.
        expected: the text for each request, by a single engine.
    """
    seen = _Seen([])
    begin_s = time.perf_counter()
    await asyncio.gather(
        *(
            _type(served, user_idx, session, num_requests, has_affinity, seen)
            for user_idx, session in enumerate(sessions)
        )
    )
    took_s = time.perf_counter() - begin_s
    results = [result for _, result, _ in seen.results]
    num_cached = sum(result.cached_tokens for result in results)
    num_prefilled = sum(result.prefilled_tokens for result in results)
    return TeamResult(
        len(sessions),
        Distribution.of([took_ms for _, _, took_ms in seen.results]),
        len(results) / took_s,
        num_cached / max(1, num_cached + num_prefilled),
        sum(result.text != expected[request] for request, result, _ in seen.results),
        seen.num_busy,
        seen.num_failed,
    )


def requests_of(session: TypingSession, num_requests: int) -> list[InfillRequest]:
    """What one user asks: the line again and again, a character longer each time."""
    longest = max(1, min(len(session.line) - 1, num_requests))
    return [session.request(idx % longest, seed=0) for idx in range(num_requests)]


def expected_texts(
    sessions: Sequence[TypingSession], num_requests: int, dtype: str
) -> dict[InfillRequest, str]:
    """What a single engine answers, as it is in a replica."""
    engine = Engine.load(EngineConfig(num_threads=1, dtype=dtype))
    # Each once, in the order of typing: most of the prompt is then in the cache.
    requests = dict.fromkeys(
        request for session in sessions for request in requests_of(session, num_requests)
    )
    with progress_bar("single engine", len(requests)) as on_done:
        expected: dict[InfillRequest, str] = {}
        for request in requests:
            expected[request] = engine.infill(request).text
            on_done()
    return expected


async def _type(
    served: ServedTeam,
    user_idx: int,
    session: TypingSession,
    num_requests: int,
    has_affinity: bool,
    seen: _Seen,
) -> None:
    async with EngineClient(served.address(user_idx)) as client:
        for idx, request in enumerate(requests_of(session, num_requests)):
            document_id = session.path if has_affinity else f"{session.path} {idx}"
            begin_s = time.perf_counter()
            while True:
                try:
                    result = await client.infill(request, document_id)
                except EngineBusy:
                    seen.num_busy += 1
                    await asyncio.sleep(_BUSY_WAIT_S)
                    continue
                except InfillError:
                    seen.num_failed += 1
                    break
                took_ms = 1000.0 * (time.perf_counter() - begin_s)
                seen.results.append((request, result, took_ms))
                break
