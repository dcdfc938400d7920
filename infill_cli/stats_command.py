"""`infill-ls stats`: what was suggested, accepted and withheld on this machine, and how fast.

Knows nothing of how it is counted; nothing of it ever leaves the machine.
"""

import json

import click

from lsp_server.speaking.reasons import SENTENCES
from lsp_server.speaking.stats import PERCENTILES, Stats
from lsp_server.speaking.stats_file import read_stats, reset_stats, stats_file


@click.command(short_help="Show what was suggested, accepted and withheld.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--reset", is_flag=True, help="Begin at zero again, after printing.")
def stats(as_json: bool, reset: bool) -> None:
    """Show the counters that the language servers of this user keep: numbers only, kept here only.

    An editor that runs adds what it has counted every now and then, and when it ends.
    """
    path = stats_file()
    counted = read_stats(path)
    if as_json:
        click.echo(json.dumps(_as_json(counted), indent=2))
    else:
        for line in _as_lines(counted):
            click.echo(line)
    if reset:
        reset_stats(path)
        click.echo("The counters are at zero again.", err=True)


def _as_json(counted: Stats) -> dict[str, object]:
    data = counted.as_json()
    del data["latencies_ms"]
    data["acceptance_rate"] = round(counted.acceptance_rate, 4)
    data["latency_ms"] = {f"p{percent}": counted.percentile_ms(percent) for percent in PERCENTILES}
    data["latency_samples"] = len(counted.latencies_ms)
    return data


def _as_lines(counted: Stats) -> list[str]:
    if counted.is_empty:
        return ["Nothing has been counted yet."]
    counts = counted.counts
    lines = [
        f"{'shown':<22}{counts['shown']:>8}",
        f"{'accepted':<22}{counts['accepted']:>8}   {counted.acceptance_rate:.0%} of the shown",
        f"{'accepted in part':<22}{counts['partially_accepted']:>8}",
        f"{'characters accepted':<22}{counts['accepted_chars']:>8}",
        f"{'requests':<22}{counts['requests']:>8}",
        f"{'model calls saved':<22}{counts['model_calls_saved']:>8}",
    ]
    if counted.latencies_ms:
        percentiles = "  ".join(
            f"p{percent} {counted.percentile_ms(percent):.0f} ms" for percent in PERCENTILES
        )
        lines.append(f"{'latency':<22}{percentiles}   (latest {len(counted.latencies_ms)})")
    if counted.withheld:
        lines += ["", "Nothing was suggested, because:"]
    for reason, num in counted.withheld.most_common():
        sentence = next(text for code, text in SENTENCES.items() if code == reason)
        lines.append(f"{num:>8}   {sentence}")
    return lines
