import pytest

from infill_cluster.security.limits import LimitExceeded, RateLimiter, StreamLimiter


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_is_allowed_then_the_rate() -> None:
    clock = Clock()
    limiter = RateLimiter(per_minute=60, burst=3, clock_s=clock)
    for _ in range(3):
        limiter.take("ada")
    with pytest.raises(LimitExceeded, match="60 requests a minute") as caught:
        limiter.take("ada")
    assert caught.value.retry_after_s == 1
    clock.now_s += 1
    limiter.take("ada")
    with pytest.raises(LimitExceeded):
        limiter.take("ada")


def test_users_do_not_share_a_bucket_and_a_pause_fills_it_only_to_the_burst() -> None:
    clock = Clock()
    limiter = RateLimiter(per_minute=1, burst=2, clock_s=clock)
    for user in ("ada", "grace"):
        limiter.take(user)
        limiter.take(user)
    with pytest.raises(LimitExceeded) as caught:
        limiter.take("ada")
    assert caught.value.retry_after_s == 60
    clock.now_s += 1_000_000
    limiter.take("ada")
    limiter.take("ada")
    with pytest.raises(LimitExceeded):
        limiter.take("ada")


def test_streams_are_counted_per_user_and_in_all() -> None:
    limiter = StreamLimiter(max_per_user=2, max_in_all=3)
    with limiter.opened("ada"), limiter.opened("ada"):
        with pytest.raises(LimitExceeded, match="at most 2 may"), limiter.opened("ada"):
            pass
        with limiter.opened("grace"):
            with pytest.raises(LimitExceeded, match="at most 3 may"), limiter.opened("joan"):
                pass
            assert (limiter.num_open, limiter.num_open_of("ada")) == (3, 2)
    assert limiter.num_open == 0


def test_a_stream_that_fails_is_no_longer_open() -> None:
    limiter = StreamLimiter(max_per_user=1, max_in_all=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limiter.opened("ada"):
            _ = 1 / 0
    assert limiter.num_open == 0
