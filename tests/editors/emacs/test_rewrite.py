"""`infill-rewrite` in a real Emacs, with the real server and the embedded model."""

import pytest

from .batch import Emacs
from .test_ghost_text import SOURCE

pytestmark = pytest.mark.e2e

OLD = "    result = 0"


def test_a_region_is_rewritten_when_its_user_accepts(emacs: Emacs) -> None:
    told = emacs.run("try_rewrite.el", SOURCE)
    assert told["text"].strip() and told["text"] != OLD
    assert told["previews"] > 0
    assert told["shown"] == "\n" + told["text"]
    assert told["key"] == "infill-rewrite-accept"
    assert told["discarded"] == SOURCE
    assert told["still-shown"] is False
    assert told["accepted"] == SOURCE.replace(OLD, told["retried"])
    assert told["accepted"] != SOURCE
    assert told["undone"] == SOURCE
    assert told["dropped"] is True
    assert told["left"] == SOURCE.replace(OLD, "    xresult = 0")
    assert "was dropped" in told["said"]
