"""An authority of the tests' own, and what it issues. Keys live as long as a test does."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
SIGNS = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Keys:
    """A certificate and its key, as files."""

    cert: Path
    key: Path

    def server(self, clients: Path | None = None) -> ssl.SSLContext:
        """To serve with; `clients`: the authority whose certificates a client must show."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, servers: Path) -> ssl.SSLContext:
        """To call with; `servers`: the authority of those who are called."""
        context = ssl.create_default_context(cafile=str(servers))
        context.load_cert_chain(self.cert, self.key)
        return context

    @property
    def endpoint(self) -> str:
        """As options of a Twisted endpoint string."""
        return f"privateKey={self.key}:certKey={self.cert}"


@dataclass(frozen=True)
class Authority:
    """Signs whatever it is asked to."""

    file: Path
    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    def issue(self, *names: str) -> Keys:
        """A certificate for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        certificate = (
            _begun(names[0], key, self._certificate.subject)
            .add_extension(alternatives, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,  # Python 3.13 wants both identifiers (RFC 5280 4.2.1.1)
            )
            .sign(self._key, hashes.SHA256())
        )
        files = Keys(*(self.file.with_suffix(f".{names[0]}.{end}") for end in ("crt", "key")))
        files.cert.write_bytes(_pem(certificate))
        files.key.write_bytes(_private(key))
        return files


def authority(directory: Path, name: str = "ca") -> Authority:
    """A new one; its certificate lies in `directory`."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _begun(f"authority {name}", key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(SIGNS, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = directory / f"{name}.pem"
    file.write_bytes(_pem(certificate))
    return Authority(file, certificate, key)


def _begun(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name | None = None
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
