import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infill_cluster.security.certificates import load_certificate
from infill_engine.api import ConfigError
from tests.infill_cluster.self_signed import write_certificate


def test_a_certificate_that_can_be_used(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path, expires_days=30)
    found = load_certificate(certificate, tmp_path / "key.pem")
    assert abs(found.expires - datetime.now(UTC) - timedelta(days=30)) < timedelta(hours=1)
    assert found.context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_an_expired_one_is_refused_with_its_date(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path, begins_days=-20, expires_days=-10)
    day = f"{datetime.now(UTC) - timedelta(days=10):%Y-%m-%d}"
    with pytest.raises(ConfigError, match=f"expired on {day}"):
        load_certificate(certificate, tmp_path / "key.pem")


def test_one_of_the_future_is_refused_with_both_dates(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path, begins_days=1, expires_days=2)
    with pytest.raises(ConfigError, match=r"valid only from .* clock says"):
        load_certificate(certificate, tmp_path / "key.pem")


def test_what_is_no_certificate_or_not_its_key_is_told(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    write_certificate(other)
    with pytest.raises(ConfigError, match="is not the private key of"):
        load_certificate(certificate, other / "key.pem")
    with pytest.raises(ConfigError, match=r"key .* cannot be read"):
        load_certificate(certificate, tmp_path / "missing.pem")
    with pytest.raises(ConfigError, match=r"certificate .* cannot be read"):
        load_certificate(tmp_path / "missing.pem", tmp_path / "key.pem")
    with pytest.raises(ConfigError, match="holds no certificate"):
        load_certificate(tmp_path / "key.pem", tmp_path / "key.pem")
