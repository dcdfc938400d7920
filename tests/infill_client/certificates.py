"""Certificates of the tests' own: an authority and what it signs, valid now or not any more."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """Signs certificates for 127.0.0.1.

    Attributes:
        folder: where the files are written.
    """

    folder: Path

    def __post_init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        object.__setattr__(self, "_key", key)
        certificate = (
            _builder(
                "infill-ls tests", "infill-ls tests", key, timedelta(days=-9), timedelta(days=30)
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def file(self) -> Path:
        """The authority's own certificate, for who trusts it."""
        return self.folder / "authority.pem"

    def sign(self, name: str, valid_from: timedelta = timedelta(days=-1)) -> tuple[Path, Path]:
        """Return certificate and key of a server, valid for two days from then."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        certificate = (
            _builder("127.0.0.1", "infill-ls tests", key, valid_from, timedelta(days=2))
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())  # type: ignore[attr-defined]
        )
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files


def _builder(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    valid_from: timedelta,
    valid_for: timedelta,
) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) + valid_from
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + valid_for)
    )
