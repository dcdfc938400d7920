from pathlib import Path
from typing import Any

import pytest

from infill_cluster.config import ClusterConfig, parse_config, read_config
from infill_engine.api import ConfigError


def test_nothing_set_is_one_cpu_engine_on_loopback() -> None:
    config = parse_config(None, "nowhere")
    assert config == ClusterConfig()
    assert config.gateway.is_loopback
    assert (config.replicas.min, config.replicas.num_gpus) == (1, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "engine.example.com"])
def test_beyond_loopback_tls_and_tokens_are_needed(host: str) -> None:
    tls = {"certificate": "c.pem", "key": "k.pem"}
    with pytest.raises(ConfigError, match=r"tls and tokens_file are not set.*token add"):
        parse_config({"gateway": {"host": host}}, "it")
    with pytest.raises(ConfigError, match="tokens_file is not set"):
        parse_config({"gateway": {"host": host, "tls": tls}}, "it")
    with pytest.raises(ConfigError, match="tls is not set"):
        parse_config({"gateway": {"host": host, "tokens_file": "t"}}, "it")
    parse_config({"gateway": {"host": host, "tokens_file": "t", "tls": tls}}, "it")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_neither(host: str) -> None:
    assert parse_config({"gateway": {"host": host}}, "it").gateway.is_loopback


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gatway": {}}, "it: gatway is unknown."),
        ({"replicas": {"min": 3, "max": 2}}, "replicas: min is 3 and max is 2"),
        ({"replicas": {"max": 0}}, "replicas.max is 0: "),
        ({"replicas": {"num_gpus": "one"}}, "replicas.num_gpus is 'one': "),
        ({"engine": {"num_threads": 0}, "colour": 1}, "engine.num_threads is 0"),
        ({"gateway": {"limits": {"burst": -1}}}, "gateway.limits.burst is -1: "),
        ({"gateway": {"tls": {"key": "k"}}}, "gateway.tls.certificate"),
        ([1], r"it: "),
    ],
)
def test_a_wrong_value_is_named(values: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(values, "it")
    assert message in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"engine": {"num_threads": 0}, "replicas": {"max": 0}}, "it")
    assert "num_threads" in str(caught.value)
    assert "replicas.max" in str(caught.value)


def test_a_file_is_read_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    path = tmp_path / "team.yaml"
    path.write_text(
        "engine: {model: models/big}\n"
        "gateway: {tokens_file: tokens.json, audit_file: /var/log/audit.jsonl,\n"
        "          tls: {certificate: c.pem, key: k.pem}}\n"
    )
    config = read_config(path)
    assert config.engine.model == str(tmp_path / "models" / "big")
    assert config.gateway.tokens_file == tmp_path / "tokens.json"
    assert config.gateway.audit_file == Path("/var/log/audit.jsonl")
    assert config.gateway.tls is not None
    assert config.gateway.tls.key == tmp_path / "k.pem"


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "is not YAML at line"), ("- 1", "team.yaml"), ("a: !!x 1", "YAML")],
)
def test_a_file_that_cannot_be_understood(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "team.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml cannot be read"):
        read_config(tmp_path / "missing.yaml")


def test_what_a_gateway_is_given_is_what_was_read(tmp_path: Path) -> None:
    config = parse_config({"replicas": {"min": 2, "max": 4}, "gateway": {"tokens_file": "t"}}, "it")
    assert parse_config(config.model_dump(mode="json"), "again") == config
