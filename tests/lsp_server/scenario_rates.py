"""Show rate and quiet rate of the suggest/suppress suite, beside a baseline that may only rise.

    python -m tests.lsp_server.scenario_rates [--raise]

prints both rates and the scenarios that are not met; --raise writes them as the new baseline, and
refuses when a scenario that was met no longer is.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .scenario import FOLDER, Scenario, read_scenarios
from .would_show import would_show

BASELINE = FOLDER / "baseline.json"


@dataclass(frozen=True)
class Rates:
    """How many scenarios are met.

    Attributes:
        show_rate: share, 0 to 1, of those where something is to be shown.
        quiet_rate: share, 0 to 1, of those where nothing is.
        unmet: names of the others, sorted.
    """

    show_rate: float
    quiet_rate: float
    unmet: tuple[str, ...]

    def is_no_worse_than(self, other: "Rates") -> bool:
        return set(self.unmet) <= set(other.unmet)


def measure(scenarios: Sequence[Scenario]) -> Rates:
    """Run every scenario."""
    met = {scenario.name: scenario.is_met_by(would_show(scenario)) for scenario in scenarios}
    return Rates(
        show_rate=_share([met[scenario.name] for scenario in scenarios if scenario.is_to_show]),
        quiet_rate=_share(
            [met[scenario.name] for scenario in scenarios if not scenario.is_to_show]
        ),
        unmet=tuple(sorted(name for name, is_met in met.items() if not is_met)),
    )


def read_baseline(path: Path = BASELINE) -> Rates:
    """Read what was reached before."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    return Rates(kept["show_rate"], kept["quiet_rate"], tuple(kept["unmet"]))


def _share(met: list[bool]) -> float:
    return round(sum(met) / len(met), 3)


def main(arguments: Sequence[str]) -> int:
    """Print, and write when asked; returns the exit code."""
    rates = measure(read_scenarios())
    lines = [f"show rate {rates.show_rate:.1%}, quiet rate {rates.quiet_rate:.1%}"]
    lines += [f"  not met: {name}" for name in rates.unmet]
    is_lower = BASELINE.exists() and not rates.is_no_worse_than(read_baseline())
    if is_lower:
        lines.append("A scenario that was met no longer is: the baseline stays.")
    elif "--raise" in arguments:
        BASELINE.write_text(json.dumps(asdict(rates), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(is_lower)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
