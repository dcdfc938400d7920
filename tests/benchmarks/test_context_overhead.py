"""The benchmark of the language server's own share runs and counts what it says."""

from benchmarks.context_overhead import measure


def test_a_small_file() -> None:
    report = measure(num_lines=300, num_keystrokes=80, seed=0)
    assert report["num_lines"] >= 300
    assert report["first_parse_slices"] >= 1
    assert 0.9 <= report["same_snippets_share"] <= 1
    assert report["all_ms"]["p50"] >= report["view_ms"]["p50"] > 0
