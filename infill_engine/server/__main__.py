"""`python -m infill_engine.server`: the engine's process, as the launcher starts it."""

import sys

import click

from infill_engine.api import InfillError
from infill_engine.server.options import (
    DEFAULT_DEVICE,
    DEFAULT_IDLE_EXIT_MINUTES,
    DEFAULT_MODEL,
    ServerOptions,
)


@click.command()
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Name or folder.")
@click.option("--device", default=DEFAULT_DEVICE, show_default=True, help="auto, cpu, cuda, ...")
@click.option("--dtype", default="auto", show_default=True, help="auto, bfloat16, fp8, int4, ...")
@click.option("--kv-cache", default="auto", show_default=True, help="auto or fp8.")
@click.option("--num-threads", type=int, default=None, help="CPU threads of the model.")
@click.option("--max-context-tokens", type=int, default=None, help="Prompt tokens kept.")
@click.option("--max-batch", type=int, default=None, help="Requests that run at once.")
@click.option("--kv-slots", type=int, default=None, help="Prompts kept for reuse.")
@click.option("--port", type=int, default=0, show_default=True, help="0 takes a free one.")
@click.option(
    "--idle-exit-minutes",
    type=float,
    default=DEFAULT_IDLE_EXIT_MINUTES,
    show_default=True,
    help="End after so long without a request; 0 never.",
)
@click.option("--log-to-stderr", is_flag=True, help="Show the log here as well.")
def main(
    model: str,
    device: str,
    dtype: str,
    kv_cache: str,
    num_threads: int | None,
    max_context_tokens: int | None,
    max_batch: int | None,
    kv_slots: int | None,
    port: int,
    idle_exit_minutes: float,
    log_to_stderr: bool,
) -> None:
    """Serve one model on the loopback interface until stopped or idle for long."""
    try:
        options = ServerOptions(
            model=model,
            device=device,
            dtype=dtype,
            kv_cache=kv_cache,
            num_threads=num_threads,
            max_context_tokens=max_context_tokens,
            max_batch=max_batch,
            kv_slots=kv_slots,
            port=port,
            idle_exit_minutes=idle_exit_minutes,
        )
        # Imported late: a wrong option is told without loading the web server.
        from infill_engine.server.run import run_engine_server

        run_engine_server(options, log_to_stderr=log_to_stderr)
    except InfillError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
