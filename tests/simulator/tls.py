"""Make the certificate for the true origin, in memory, at start."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import ipaddress
import os
import ssl
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ORIGIN_HOST = "web.whatsapp.com"


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Hold key and certificate as PEM, and the hash that makes Chromium accept the key."""

    certificate: bytes
    key: bytes = dataclasses.field(repr=False)
    spki: str


def identity(names: Sequence[str] = (), seed: str | None = None) -> Identity:
    """Make a self-signed certificate for the origin and further names or IP addresses.

    With a seed the key, and with it the SPKI hash, is the same at every start: several pods of a test cluster are told
    the hash once. Such a key is no secret, which is well for a stand-in that only a test's browsers are pointed at.
    """
    key = _key(seed)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ORIGIN_HOST)])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [_alternative(name) for name in (ORIGIN_HOST, "localhost", *names, "127.0.0.1")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    spki = base64.b64encode(hashlib.sha256(public).digest()).decode()
    return Identity(certificate.public_bytes(serialization.Encoding.PEM), private, spki)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key(seed: str | None) -> ec.EllipticCurvePrivateKey:
    if seed is None:
        return ec.generate_private_key(ec.SECP256R1())
    # Below 2**255 every number but 0 is a valid private key of P-256.
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(seed.encode()).digest()) >> 1, ec.SECP256R1())


def server_context(made: Identity) -> ssl.SSLContext:
    """Return a TLS context; it goes through an anonymous file because a pod's root is read-only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    descriptor = os.memfd_create("simulator-tls")
    try:
        os.write(descriptor, made.certificate + made.key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context
