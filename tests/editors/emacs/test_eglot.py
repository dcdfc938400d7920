"""What eglot can do with the server alone: the completion menu and the code action."""

import subprocess

import pytest

from ...installed import installed_or_skip
from ...system_packages import ensure_debian_packages
from .batch import Emacs
from .test_ghost_text import EAGER, SOURCE

pytestmark = pytest.mark.e2e


@pytest.fixture
def eglot(emacs: Emacs) -> Emacs:
    """An Emacs that has eglot: built in from 29 on, a package before."""
    check = [emacs.program, "--batch", "--eval", '(kill-emacs (if (locate-library "eglot") 0 1))']
    if subprocess.run(check, env=emacs.env).returncode != 0:
        installed_or_skip(lambda: ensure_debian_packages("elpa-eglot"))
    return emacs


def test_eglot_offers_the_suggestion_in_its_menu_and_rewrites(eglot: Emacs) -> None:
    told = eglot.run("try_eglot.el", SOURCE, **EAGER, completionFallback=True)
    assert told["managed"] is True
    (offered,) = told["offered"]
    line = "    result = 0\n"
    assert told["completed"] == SOURCE.replace(line, f"{line}    return {offered}\n")
    assert told["inline"] and told["inline"][0].strip()
    assert told["actions"] == ["Rewrite the selection (infill-ls)"]
    if told["answer"]["applied"]:
        assert told["rewritten"] != told["before-rewrite"]
    else:
        assert told["rewritten"] == told["before-rewrite"]
