"""The soak as its README says to run it, with a few users: a real cluster, a kill, an update."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e


def test_a_small_team_gets_right_answers_and_leaves_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.cluster.soak"]
    ended = subprocess.run(
        [*command, "--num-users", "3", "--num-requests", "4"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout.splitlines()[-1])
    assert report["num_answers"] == 12
    assert report["num_wrong"] == report["num_failed"] == 0
    assert report["is_nothing_left"], report["left"]
    events = [event["what"] for event in report["events"]]
    assert "rolling update done" in events
    assert any("killed" in event for event in events)
