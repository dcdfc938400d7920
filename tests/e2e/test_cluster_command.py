"""`infill-ls cluster run` as an administrator meets it: TLS, tokens, status, Ctrl-C."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infill_cluster.security.tokens import add_token
from tests.e2e.ray_here import PATIENCE_S, ray_folder
from tests.infill_cluster.self_signed import write_certificate

pytestmark = pytest.mark.e2e
SECRET = "hunter2"
COMMAND = [sys.executable, "-m", "infill_cli", "cluster"]


@pytest.fixture
def ray_files() -> Iterator[Path]:
    with ray_folder() as folder:
        yield folder


def test_run_serves_with_tls_and_tokens_and_ends_without_dropping_a_stream(
    ray_files: Path, tmp_path: Path
) -> None:
    certificate = write_certificate(tmp_path)
    token = add_token(tmp_path / "tokens.json", "ada")
    (tmp_path / "team.yaml").write_text(
        "engine: {num_threads: 1}\n"
        "replicas: {num_cpus: 0.25}\n"
        "gateway:\n"
        "  tokens_file: tokens.json\n"
        "  audit_file: audit.jsonl\n"
        "  tls: {certificate: certificate.pem, key: key.pem}\n"
    )
    options = ["run", "--config", str(tmp_path / "team.yaml"), "--port", "0"]
    process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True)
    killer = threading.Timer(PATIENCE_S, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Serving at https://127.0.0.1:"), line
        url = line.split()[2].rstrip(".")
        status = subprocess.run([*COMMAND, "status", "--json"], stdout=subprocess.PIPE, check=False)
        engines, gateway = json.loads(status.stdout)
        assert engines["status"] == gateway["status"] == "RUNNING"
        assert [engine["num_slots_taken"] for engine in engines["engines"]] == [0]
        assert status.returncode == 0

        body = {"prefix": f"{SECRET} = [1,\n", "suffix": "\n", "mode": "block", "seed": 3}
        with httpx.Client(verify=str(certificate), trust_env=False, timeout=PATIENCE_S) as http:
            assert http.get(f"{url}/v1/health").status_code == 401
            headers = {"Authorization": f"Bearer {token}", "X-Infill-Document": f"{SECRET}.py"}
            with http.stream(
                "POST", f"{url}/v1/infill", json={**body, "max_new_tokens": 300}, headers=headers
            ) as answer:
                lines = answer.iter_lines()
                assert next(lines) == "event: step"
                process.send_signal(signal.SIGINT)
                assert "event: done" in list(lines)
        assert process.wait(PATIENCE_S) == 0
    finally:
        killer.cancel()
        process.kill()
        process.wait()
    (audited,) = map(json.loads, (tmp_path / "audit.jsonl").read_text().splitlines())
    assert (audited["user"], audited["status_code"]) == ("ada", 200)
    assert not list(_files_with(SECRET, ray_files, tmp_path))


def run_with(folder: Path, config: str) -> subprocess.CompletedProcess[str]:
    (folder / "team.yaml").write_text(config + "\n")
    command = [*COMMAND, "run", "--config", str(folder / "team.yaml")]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)


def test_a_host_open_to_others_is_refused_before_ray_is_started(tmp_path: Path) -> None:
    refused = run_with(tmp_path, "gateway: {host: 0.0.0.0}")
    assert refused.returncode == 2
    assert "tls and tokens_file are not set" in refused.stderr


def test_an_expired_certificate_is_refused_before_ray_is_started(tmp_path: Path) -> None:
    write_certificate(tmp_path, begins_days=-3, expires_days=-2)
    refused = run_with(tmp_path, "gateway: {tls: {certificate: certificate.pem, key: key.pem}}")
    assert refused.returncode == 2
    assert "certificate.pem expired on " in refused.stderr
    assert "Starting Ray" not in refused.stderr


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1"])
def test_status_without_a_cluster_says_how_to_start_one(ray_files: Path, address: str) -> None:
    status = subprocess.run(
        [*COMMAND, "status", "--address", address], stderr=subprocess.PIPE, text=True, check=False
    )
    assert status.returncode == 2
    assert f"No Ray cluster answers at '{address}'" in status.stderr


def _files_with(text: str, *folders: Path) -> Iterator[Path]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and text.encode() in path.read_bytes():
                yield path
