"""`infill-mode` with a server that is missing or keeps ending: told once, and out of the way."""

import pytest

from .batch import Emacs

pytestmark = pytest.mark.e2e


def test_trouble_is_told_once_and_typing_goes_on(emacs: Emacs) -> None:
    told = emacs.run("try_trouble.el", "a = 1\n")
    (missing,) = told["missing"]
    assert "no-such-server" in missing and "infill-restart" in missing
    assert told["state"] == "unavailable"
    (not_speaking,) = told["not-speaking"]
    assert "did not start" in not_speaking
    (ended_early,) = told["ended-early"]
    assert "did not start" in ended_early
    assert told["killed"] == 3
    (gave_up,) = told["gave-up"]
    assert "3 times within a minute" in gave_up and "stderr" in gave_up
    assert told["text"] == "x " * 24 + "a = 1\n"
    assert told["restarted"] is True and told["version"] == 1
    assert told["asked-when-read-only"] is told["remote"] is False
