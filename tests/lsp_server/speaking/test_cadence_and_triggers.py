"""How long is waited, and when nothing is said: small cases with a clock of their own."""

import os
from pathlib import Path

import pytest

from lsp_server.speaking.cadence import FIRST_INTERVAL_MS, MAX_WAIT_MS, PAUSE_MS, Cadence
from lsp_server.speaking.gap import Gap, Selected, TextKind
from lsp_server.speaking.read_only import why_read_only
from lsp_server.speaking.triggers import LastDone, MidLinePolicy, SpeakingPolicy, why_quiet


def typed(interval_ms: float, num_keys: int = 40) -> tuple[Cadence, float]:
    cadence, now_ms = Cadence(), 0.0
    for idx in range(num_keys):
        now_ms = idx * interval_ms
        cadence.on_key(now_ms)
    return cadence, now_ms


def test_nobody_who_has_not_typed_waits() -> None:
    assert Cadence().wait_ms(0.0, is_invoked=False) == 0.0


def test_the_rhythm_is_learned_and_waited_for() -> None:
    fast, fast_now = typed(80.0)
    slow, slow_now = typed(240.0)
    assert fast.interval_ms == pytest.approx(80.0, abs=1)
    assert 80.0 < fast.wait_ms(fast_now, False) < slow.wait_ms(slow_now, False) <= MAX_WAIT_MS


def test_asking_by_hand_never_waits() -> None:
    cadence, now_ms = typed(150.0)
    assert cadence.wait_ms(now_ms, is_invoked=True) == 0.0


def test_the_engine_s_latency_is_taken_off() -> None:
    cadence, now_ms = typed(150.0)
    without = cadence.wait_ms(now_ms, False)
    for took_ms in (40.0, 50.0, 5000.0):
        cadence.on_latency(took_ms)
    assert cadence.latency_ms == 50.0
    assert cadence.wait_ms(now_ms, False) == pytest.approx(without - 50.0)
    for _ in range(5):
        cadence.on_latency(900.0)
    assert cadence.wait_ms(now_ms, False) == 0.0


def test_what_the_editor_waited_counts() -> None:
    cadence, now_ms = typed(100.0)
    wait_ms = cadence.wait_ms(now_ms, False)
    assert cadence.wait_ms(now_ms + 30.0, False) == pytest.approx(wait_ms - 30.0)
    assert cadence.wait_ms(now_ms + 500.0, False) == 0.0


def test_pauses_are_no_rhythm() -> None:
    cadence, now_ms = typed(100.0)
    before_ms = cadence.interval_ms
    cadence.on_key(now_ms + PAUSE_MS + 1)
    cadence.on_key(now_ms - 50.0)  # a clock set back
    assert cadence.interval_ms == before_ms
    assert Cadence().interval_ms == FIRST_INTERVAL_MS


def why(
    before: str = "x = ",
    after: str = "\n",
    kind: TextKind = "code",
    policy: SpeakingPolicy | None = None,
    last: LastDone | None = None,
) -> str | None:
    return why_quiet(Gap(before, after), kind, last or LastDone(), policy or SpeakingPolicy())


def test_after_a_deletion_until_something_is_typed() -> None:
    last = LastDone()
    last.on_edit(1, "")
    last.on_edit(0, "")  # an empty change is none
    assert why(last=last) == "after_deletion"
    last.on_edit(3, "y")  # a selection typed over
    assert why(last=last) is None


def test_an_acceptance_ends_with_the_next_edit() -> None:
    last = LastDone()
    last.on_edit(2, "")
    last.on_accept()
    assert last.is_acceptance
    assert why(last=last) is None
    last.on_edit(0, "x")
    assert not last.is_acceptance


@pytest.mark.parametrize("kind", ["comment", "string"])
def test_comments_and_strings_only_when_switched_on(kind: TextKind) -> None:
    assert why(kind=kind) == f"in_{kind}"
    assert why(kind=kind, policy=SpeakingPolicy(in_comments=True, in_strings=True)) is None


@pytest.mark.parametrize(
    ("before", "after", "mid_line", "reason"),
    [
        ("pri", "nt(x)\n", "always", "inside_word"),
        ("return ", "value\n", "always", "inside_word"),
        ("x = ", " + 1\n", "always", None),
        ("x = ", " + 1\n", "closers", "inside_line"),
        ("f(", ")\n", "closers", None),
        ("if (x", ") {\n", "closers", None),
        ("f(", ")\n", "never", "inside_line"),
        ("x = ", "  \ny\n", "never", None),
        ("x = ", "", "never", None),
    ],
)
def test_in_the_middle_of_a_line(
    before: str, after: str, mid_line: MidLinePolicy, reason: str | None
) -> None:
    assert why(before, after, policy=SpeakingPolicy(mid_line=mid_line)) == reason


def test_the_menu_s_item_is_taken_before_the_model_is_asked() -> None:
    gap = Gap("a\npri", "x\n", "python")
    assert Selected("print", 3, 1).taken(gap) == Gap("a\nprint", "\n", "python")
    assert Selected("print", 4).taken(gap) is None
    assert Selected("print", 3, 2).taken(gap) is None


def test_a_file_that_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.py"
    assert why_read_only(path) is None
    path.write_text("", encoding="utf-8")
    assert why_read_only(path) is None
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everything
    withheld = why_read_only(path)
    assert withheld is not None
    assert (withheld.reason, "a.py" in withheld.sentence) == ("read_only", True)
    assert why_read_only("/\0") is None
