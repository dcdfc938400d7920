"""What a team's cluster is made of: one YAML file, or the defaults.

    engine: {model: embedded}                # as `infill-ls engine run` takes it
    replicas: {min: 1, max: 8, num_gpus: 1}  # how many engines, and what each of them needs
    gateway: {host: 0.0.0.0, port: 8443, tls: {...}, tokens_file: ...}

Refuses what would be open to a network: without TLS and tokens only loopback is listened on.
Knows nothing of Ray.
"""

import ipaddress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from infill_engine.api import ConfigError

DEFAULT_PORT = 8443


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineSection(_Section):
    """What each replica runs; see `infill_engine.server.options.ServerOptions`."""

    model: str = "embedded"
    device: str = "auto"
    dtype: str = "auto"
    kv_cache: str = "auto"
    num_threads: int | None = Field(default=None, ge=1)
    max_batch: int | None = Field(default=None, ge=1, le=64)
    kv_slots: int | None = Field(default=None, ge=1)
    max_context_tokens: int | None = Field(default=None, ge=64)
    max_queued_requests: int = Field(default=8, ge=1, le=1000)


class ReplicasSection(_Section):
    """How many engines there are, and what each of them is given.

    Attributes:
        min: engines that are always there; each holds the model.
        max: engines when there is much to do.
        target_ongoing_requests: requests per engine, running or waiting, that autoscaling aims at.
        num_cpus: CPU cores of an engine, fractions allowed.
        num_gpus: GPUs of an engine, fractions allowed; 0 runs it on the CPU.
        drain_s: longest that an engine being replaced goes on with what it has begun.
        wedged_after_s: an engine whose request makes no step for so long is replaced.
        health_check_period_s: how often an engine is looked at.
        upscale_delay_s: how long there must be too much to do before engines are added.
        downscale_delay_s: how long there must be too little before engines are taken away.
        max_queue: requests at an engine from which on a document may move to another one.
    """

    min: int = Field(default=1, ge=1, le=10_000)
    max: int = Field(default=1, ge=1, le=10_000)
    target_ongoing_requests: float = Field(default=2.0, gt=0)
    num_cpus: float = Field(default=1.0, ge=0)
    num_gpus: float = Field(default=0.0, ge=0)
    drain_s: float = Field(default=60.0, gt=0)
    wedged_after_s: float = Field(default=60.0, gt=0)
    health_check_period_s: float = Field(default=10.0, gt=0)
    upscale_delay_s: float = Field(default=10.0, ge=0)
    downscale_delay_s: float = Field(default=600.0, ge=0)
    max_queue: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _min_is_not_above_max(self) -> "ReplicasSection":
        if self.min > self.max:
            raise ValueError(f"min is {self.min} and max is {self.max}; min must not be above max")
        return self


class TlsSection(_Section):
    """PEM files of the certificate, with its chain, and of its key."""

    certificate: Path
    key: Path


class LimitsSection(_Section):
    """What one user, and one connection, may take.

    Attributes:
        max_request_bytes: largest body.
        requests_per_minute: what each user may keep up.
        burst: what each user may ask at once after a pause.
        max_streams_per_user: requests of a user that may be answered at once.
        max_streams: requests that may be answered at once in all.
        max_connections: connections open at once, less where the limit of open files is lower;
            some more are answered 503, all others closed as they come.
        max_connections_per_address: of them from one address (of IPv6: one /64 network); more are
            closed as they come. Where a load balancer hides the addresses: as max_connections.
        head_timeout_s: a connection that has sent nothing by then is closed, likewise one whose
            TLS handshake, or then a request's head, takes so long.
        body_timeout_s: likewise its body.
        write_timeout_s: a client that reads nothing for so long is cut off.
        request_timeout_s: longest that a request may take in all.
    """

    max_request_bytes: int = Field(default=2_000_000, ge=1_000, le=100_000_000)
    requests_per_minute: int = Field(default=600, ge=1)
    burst: int = Field(default=60, ge=1)
    max_streams_per_user: int = Field(default=8, ge=1)
    max_streams: int = Field(default=1_000, ge=1)
    max_connections: int = Field(default=12_000, ge=1)
    max_connections_per_address: int = Field(default=2_000, ge=1)
    head_timeout_s: float = Field(default=10.0, gt=0)
    body_timeout_s: float = Field(default=20.0, gt=0)
    write_timeout_s: float = Field(default=20.0, gt=0)
    request_timeout_s: float = Field(default=120.0, gt=0)


class GatewaySection(_Section):
    """Where clients connect, and what they must show.

    Attributes:
        host: address listened on; beyond loopback TLS and tokens are needed.
        port: TCP port; 0 takes a free one.
        num_gateways: processes that answer, each on a node of its own; limits count in each.
        resources: custom resources of Ray nodes that a gateway takes, to have it where clients
            connect: {"infill_gateway": 0.01}.
        tls: certificate and key; None speaks plain HTTP.
        tokens_file: made by `infill-ls cluster token add`; None lets everybody in.
        audit_file: JSON lines, one per request; None writes none.
        drain_s: longest that a gateway being replaced goes on with what it has begun.
        engine_silent_after_s: an engine that gives no sign in mid-answer for so long, where it
            gives one each second, counts as lost: its requests are given up, others avoid it.
        limits: what a client may take.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=DEFAULT_PORT, ge=0, le=65535)
    num_gateways: int = Field(default=1, ge=1, le=100)
    resources: dict[str, float] = {}
    tls: TlsSection | None = None
    tokens_file: Path | None = None
    audit_file: Path | None = None
    drain_s: float = Field(default=60.0, gt=0)
    engine_silent_after_s: float = Field(default=8.0, ge=3)
    limits: LimitsSection = LimitsSection()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @model_validator(mode="after")
    def _is_not_open_to_a_network(self) -> "GatewaySection":
        missing = [name for name in ("tls", "tokens_file") if getattr(self, name) is None]
        if missing and not self.is_loopback:
            raise ValueError(
                f"host is {self.host!r}, which others can reach, but {' and '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} not set. Code would travel unprotected: "
                "set them (`infill-ls cluster token add USER` makes the token file), or listen on "
                "127.0.0.1"
            )
        return self


class ClusterConfig(_Section):
    """Everything `infill-ls cluster` needs to know."""

    engine: EngineSection = EngineSection()
    replicas: ReplicasSection = ReplicasSection()
    gateway: GatewaySection = GatewaySection()


def parse_config(values: Any, where: str) -> ClusterConfig:
    """Build a configuration from plain values.

    Args:
        values: a mapping, as YAML gives it; None stands for an empty one.
        where: names the source in messages.

    Raises:
        ConfigError: a value is unknown, of another type or out of range; all are named.
    """
    try:
        return ClusterConfig.model_validate({} if values is None else values)
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors(include_url=False))
        raise ConfigError(f"{where}: {problems}.") from None


def read_config(path: Path) -> ClusterConfig:
    """Read a YAML file; relative paths in it are relative to its folder.

    Raises:
        ConfigError: it cannot be read, is not YAML, or has a value that is not allowed.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"{path} cannot be read ({reason}).") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path} is not YAML{place}.") from None
    return with_absolute_paths(parse_config(values, str(path)), path.parent)


def with_absolute_paths(config: ClusterConfig, folder: Path) -> ClusterConfig:
    """Return the configuration with its paths absolute: a replica runs in a folder of its own."""

    def absolute(path: Path | None) -> Path | None:
        return None if path is None else (folder / path.expanduser()).resolve()

    gateway = config.gateway
    tls = gateway.tls and gateway.tls.model_copy(
        update={name: absolute(getattr(gateway.tls, name)) for name in ("certificate", "key")}
    )
    changes = {
        "tls": tls,
        "tokens_file": absolute(gateway.tokens_file),
        "audit_file": absolute(gateway.audit_file),
    }
    model = config.engine.model
    if model != "embedded":
        model = str(absolute(Path(model)))
    return config.model_copy(
        update={
            "engine": config.engine.model_copy(update={"model": model}),
            "gateway": gateway.model_copy(update=changes),
        }
    )


def _problem(item: Any) -> str:
    name = ".".join(map(str, item["loc"]))
    if item["type"] == "extra_forbidden":
        return f"{name} is unknown"
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "value_error":
        return f"{name}: {message}" if name else message
    return f"{name} is {item['input']!r:.60}: {message}"
