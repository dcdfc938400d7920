"""`infill-ls cluster run|deploy|status|stop|token`: one engine, or many, for a whole team.

Knows nothing of Ray: `infill_cluster` does the work. See docs/team.md.
"""

import dataclasses
import json
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infill_cli.cluster_token_command import token
from infill_cluster.config import ClusterConfig, parse_config, read_config
from infill_cluster.ray_extra import require_ray
from infill_cluster.room import require_room

if TYPE_CHECKING:
    from infill_cluster.deployments.rollout import PartStatus

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(short_help="Serve a team: engines on Ray, behind TLS and tokens.")
def cluster() -> None:
    """Serve a team with engines on Ray Serve, behind a gateway with TLS and tokens."""


cluster.add_command(token)


@cluster.command()
@click.option("--config", "path", type=_FILE, default=None, help="YAML; else the defaults.")
@click.option("--replicas", type=int, default=None, help="Engines, whatever the file says.")
@click.option("--port", type=int, default=None, help="Port, whatever the file says; 0 a free one.")
def run(path: Path | None, replicas: int | None, port: int | None) -> None:
    """Serve on this machine, in the foreground; Ctrl-C lets what is being answered end."""
    config = _with_options(read_config(path) if path else ClusterConfig(), replicas, port)
    _require_usable_files(config)
    require_ray(starts_one=True)
    from infill_cluster.deployments.ray_connection import (
        nodes_of_cluster,
        start_local_ray,
        stop_ray,
    )
    from infill_cluster.deployments.rollout import gateway_urls, roll_out, take_down

    asked_to_end = threading.Event()
    click.echo("Starting Ray and the engines ...", err=True)
    section = config.replicas
    start_local_ray(os.cpu_count() or 1, section.max * section.num_gpus)
    try:
        # After Ray has set its own: it would end this process without a word.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: asked_to_end.set())
        require_room(config, nodes_of_cluster())
        roll_out(config)
        click.echo(f"Serving at {' and '.join(gateway_urls())}. Ctrl-C ends it.")
        asked_to_end.wait()
        # A second Ctrl-C does not wait.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        click.echo("Letting what is being answered end ...", err=True)
        take_down()
    finally:
        stop_ray()


@cluster.command()
@click.argument("path", type=_FILE, metavar="CONFIG.yaml")
@click.option("--address", default="auto", show_default=True, help="Head of the Ray cluster.")
def deploy(path: Path, address: str) -> None:
    """Bring a running Ray cluster into line with CONFIG.yaml, without ending a stream.

    Run it on a node of the cluster. Paths in the file are those of the nodes.
    """
    config = read_config(path)
    require_ray()
    from infill_cluster.deployments.ray_connection import (
        connect_to_ray,
        nodes_of_cluster,
        stop_ray,
    )
    from infill_cluster.deployments.rollout import gateway_urls, roll_out

    connect_to_ray(address)
    try:
        require_room(config, nodes_of_cluster())
        replaced = roll_out(config)
        click.echo(f"Rolled out: {', '.join(replaced)}." if replaced else "Nothing has changed.")
        click.echo(f"Serving at {' and '.join(gateway_urls())}.")
    finally:
        stop_ray()


@cluster.command()
@click.option("--address", default="auto", show_default=True, help="Head of the Ray cluster.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def status(ctx: click.Context, address: str, as_json: bool) -> None:
    """Say how engines and gateway are; exit code 1 when not all of them run."""
    require_ray()
    from infill_cluster.deployments.engine_loads import engine_loads
    from infill_cluster.deployments.ray_connection import connect_to_ray, stop_ray
    from infill_cluster.deployments.rollout import ENGINE_APPLICATION, cluster_status

    connect_to_ray(address)
    try:
        parts = cluster_status()
        engines = engine_loads()
    finally:
        stop_ray()
    if as_json:
        told = [dataclasses.asdict(part) for part in parts]
        for part in told:
            if part["name"] == ENGINE_APPLICATION:
                part["engines"] = [dataclasses.asdict(engine) for engine in engines]
        click.echo(json.dumps(told, indent=2))
    else:
        for part in parts:
            click.echo(_line(part))
            if part.name == ENGINE_APPLICATION:
                for engine in engines:
                    click.echo(f"{'':16}{engine}")
    ctx.exit(0 if all(part.status == "RUNNING" for part in parts) else 1)


@cluster.command()
@click.option("--address", default="auto", show_default=True, help="Head of the Ray cluster.")
def stop(address: str) -> None:
    """End gateways and engines of a running Ray cluster; Ray itself goes on.

    New connections are refused at once, what is being answered ends before (gateway.drain_s).
    """
    require_ray()
    from infill_cluster.deployments.ray_connection import connect_to_ray, stop_ray
    from infill_cluster.deployments.rollout import take_down

    connect_to_ray(address)
    try:
        ended = take_down()
    finally:
        stop_ray()
    click.echo(f"Ended: {', '.join(ended)}." if ended else "Nothing was running.")


def _with_options(config: ClusterConfig, replicas: int | None, port: int | None) -> ClusterConfig:
    changes = config.model_dump()
    if replicas is not None:
        changes["replicas"].update(min=replicas, max=replicas)
    if port is not None:
        changes["gateway"]["port"] = port
    return parse_config(changes, "The options")


def _require_usable_files(config: ClusterConfig) -> None:
    # Told at once: Ray would first start, and then try three times.
    from infill_cluster.security.certificates import load_certificate
    from infill_cluster.security.tokens import TokenBook

    gateway = config.gateway
    if gateway.tls is not None:
        load_certificate(gateway.tls.certificate, gateway.tls.key)
    if gateway.tokens_file is not None:
        TokenBook(gateway.tokens_file)


def _line(part: "PartStatus") -> str:
    replicas = ", ".join(f"{num} {state.lower()}" for state, num in sorted(part.replicas.items()))
    line = f"{part.name:<15} {part.status.lower():<12} {replicas}".rstrip()
    more = [*part.urls, *([part.why] if part.why else [])]
    return "\n".join([line, *(f"{'':16}{text}" for text in more)])
