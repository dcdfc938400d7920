"""`infill-ls engine run|start|status|stop|login|logout`: the engine's process by hand.

Usually nobody needs it: the engine starts when first asked and ends when idle. Knows nothing of
requests.
"""

import dataclasses
import json

import click

from infill_cli.login_command import login, logout
from infill_client.settings import EngineSettings, read_settings


@click.group(short_help="Run, start, look at or stop the engine's process.")
def engine() -> None:
    """Look after the engine's process, which all editors and commands share."""


engine.add_command(login)
engine.add_command(logout)


@engine.command()
@click.option("--model", default=None, help="Name or folder; else the one chosen.")
@click.option("--device", default=None, help="auto, cpu, cuda or cuda:N.")
@click.option("--dtype", default=None, help="auto, bfloat16, ..., on a GPU also fp8 and int4.")
@click.option("--kv-cache", default=None, help="auto or, on a GPU, fp8.")
@click.option("--num-threads", type=int, default=None, help="CPU threads of the model.")
@click.option("--max-context-tokens", type=int, default=None, help="Prompt tokens kept.")
@click.option("--max-batch", type=int, default=None, help="Requests that run at once.")
@click.option("--kv-slots", type=int, default=None, help="Prompts kept for reuse.")
@click.option("--port", type=int, default=0, show_default=True, help="0 takes a free one.")
@click.option(
    "--idle-exit-minutes", type=float, default=None, help="End after so long idle; 0 never."
)
def run(
    model: str | None,
    device: str | None,
    dtype: str | None,
    kv_cache: str | None,
    num_threads: int | None,
    max_context_tokens: int | None,
    max_batch: int | None,
    kv_slots: int | None,
    port: int,
    idle_exit_minutes: float | None,
) -> None:
    """Run the engine here, in the foreground, with its log on stderr; Ctrl-C ends it."""
    from infill_engine.server.options import ServerOptions
    from infill_engine.server.run import run_engine_server

    chosen = read_settings()
    options = ServerOptions(
        model=model or chosen.model,
        device=device or chosen.device,
        dtype=dtype or chosen.dtype,
        kv_cache=kv_cache or chosen.kv_cache,
        num_threads=num_threads if num_threads is not None else chosen.num_threads,
        max_context_tokens=(
            max_context_tokens if max_context_tokens is not None else chosen.max_context_tokens
        ),
        max_batch=max_batch,
        kv_slots=kv_slots,
        port=port,
        idle_exit_minutes=(
            idle_exit_minutes if idle_exit_minutes is not None else chosen.idle_exit_minutes
        ),
    )
    # In the foreground the reason is told here and now; nobody needs to ask a process for it.
    run_engine_server(options, log_to_stderr=True, ends_when_load_fails=True)


@engine.command()
def start() -> None:
    """Start the engine in the background, unless it runs, and wait until it is ready."""
    from infill_cli.engine_access import connect

    address = connect()
    click.echo(f"The engine is ready at {address.url}.")


@engine.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything it says of itself.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say how the engine is; exit code 1 when none runs."""
    settings = read_settings()
    if settings.kind == "openai":
        _tell_of_server(settings, as_json)
        return
    from infill_client.launcher import find_engine
    from infill_engine.process_state import log_folder

    found = find_engine()
    if found is None:
        if as_json:
            click.echo(json.dumps({"status": "stopped"}))
        else:
            click.echo("No engine is running.")
            click.echo(f"log      {log_folder() / 'engine.log'}")
        ctx.exit(1)
    state, health = found
    if as_json:
        whole = {"pid": state.pid, "url": state.url, **dataclasses.asdict(health)}
        click.echo(json.dumps(whole, indent=2))
        return
    click.echo(f"status   {health.status}")
    if health.status == "loading":
        click.echo(f"stage    {health.stage} ({health.fraction:.0%})")
    if health.why:
        click.echo(f"why      {health.why}")
    click.echo(f"process  {state.pid} at {state.url}, version {health.version}")
    click.echo(f"model    {health.model}")
    for name, value in health.details.items():
        if name != "model":
            click.echo(f"         {name}: {value}")
    click.echo(f"work     {health.num_running} running, {health.num_queued} waiting")
    click.echo(f"log      {log_folder() / 'engine.log'}")


def _tell_of_server(settings: EngineSettings, as_json: bool) -> None:
    from infill_client.openai.blocking import find_server
    from infill_client.privacy import where_code_goes

    server = find_server(settings)
    if as_json:
        whole = {"status": "ready", "url": server.url, "details": server.describe()}
        click.echo(json.dumps(whole, indent=2))
        return
    click.echo(f"status   ready, at {server.url}")
    for name, value in server.describe().items():
        click.echo(f"         {name}: {value}")
    if notice := where_code_goes(server.address):
        click.echo(notice)


@engine.command()
def stop() -> None:
    """Stop the engine; the next request starts it again."""
    from infill_client.launcher import stop_engine

    state = stop_engine()
    click.echo("No engine was running." if state is None else f"Stopped the engine ({state.pid}).")
