"""`infill-ls doctor`: is everything there, and does a gap really get filled?

Exit code 0 when usable, 2 when something is broken. Knows nothing of how to check (see
`checks`).
"""

import time

import click

from infill_cli.checks import (
    Finding,
    check_checkpoint,
    check_editors,
    check_elsewhere,
    check_grammars,
    check_python,
    check_settings,
    check_torch,
)
from infill_client.settings import EngineSettings
from infill_engine.api import InfillError, InfillRequest

_MARKS = {"ok": ("✓", "green"), "note": ("•", "yellow"), "broken": ("✗", "red")}


@click.command(short_help="Check the installation and say how to mend it.")
@click.option("--no-start", is_flag=True, help="Do not start the engine to try it.")
@click.pass_context
def doctor(ctx: click.Context, no_start: bool) -> None:
    """Check Python, torch, device, model, grammars, editors and the engine."""
    findings: list[Finding] = []

    def note(finding: Finding) -> None:
        findings.append(finding)
        mark, color = _MARKS[finding.level]
        click.echo(f"{click.style(mark, fg=color)} {finding.name:<9} {finding.detail}")
        if finding.mend:
            click.echo(f"{'':12}{finding.mend}")

    note(check_python())
    settings_finding, settings = check_settings()
    note(settings_finding)
    if settings.url or settings.kind == "openai":
        note(check_elsewhere(settings))
    else:
        torch, device = check_torch()
        note(torch)
        note(device)
        note(check_checkpoint(settings))
    note(check_grammars())
    note(check_editors())
    is_broken = any(finding.level == "broken" for finding in findings)
    if not is_broken:
        is_only_looked_at = no_start and not settings.url
        note(_look_at_engine() if is_only_looked_at else _try_engine(settings))
        is_broken = findings[-1].level == "broken"
    if is_broken:
        click.echo("Not usable yet: see the lines marked ✗.")
        ctx.exit(2)
    click.echo("Ready to use.")


def _look_at_engine() -> Finding:
    from infill_client.launcher import find_engine

    try:
        found = find_engine()
    except InfillError as error:
        return Finding("Engine", "broken", str(error))
    if found is None:
        return Finding("Engine", "ok", "not running; starts when first asked")
    state, health = found
    if health.status == "failed":
        return Finding("Engine", "broken", health.why, "Then run `infill-ls engine stop`.")
    return Finding("Engine", "ok", f"{health.status}, process {state.pid}")


def _try_engine(settings: EngineSettings) -> Finding:
    from infill_cli.complete_command import run_request
    from infill_cli.engine_access import connect

    request = InfillRequest(
        "def add(left, right):\n    return ", "\n", "python", "add.py", max_new_tokens=16
    )
    try:
        engine = connect(settings)
        started_s = time.perf_counter()
        result = run_request(engine, request)
    except InfillError as error:
        return Finding("Engine", "broken", str(error), "`infill-ls engine status` names its log.")
    took_ms = (time.perf_counter() - started_s) * 1000
    return Finding(
        "Engine", "ok", f"filled a small gap in {took_ms:.0f} ms ({result.num_steps} steps)"
    )
