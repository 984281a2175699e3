"""Certificates for the tests: an authority that signs names and addresses, all in memory.

ours = Authority()
pem = ours.issue("b1.example", "127.0.0.1")      # certificate and key in one PEM
ours.pem                                         # the authority's certificate
"""

from __future__ import annotations

import datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates that are valid from yesterday to tomorrow. `above`: who signs its own,
    left out itself."""

    def __init__(
        self, name: str = "Authority of the tests", above: Authority | None = None
    ) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        ca = x509.BasicConstraints(ca=True, path_length=None)
        signer = above or self
        certificate = signer._build(self._name, self._key).add_extension(ca, critical=True)
        self.pem = _pem(certificate.sign(signer._key, hashes.SHA256()))

    def issue(
        self, *names: str, days: int = 1, purpose: x509.ObjectIdentifier | None = None
    ) -> bytes:
        """A certificate for these host names and addresses with its key, in PEM; with `days` of
        -1 it has expired. `purpose`: the one it is for, left out any."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        built = self._build(subject, key, days).add_extension(alternatives, critical=False)
        if purpose is not None:
            built = built.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        certificate = built.sign(self._key, hashes.SHA256())
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return _pem(certificate) + secret

    def _build(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * DAY)
            .not_valid_after(now + days * DAY)
        )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
