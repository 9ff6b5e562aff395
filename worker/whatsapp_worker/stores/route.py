"""Read the way to a store's server: whom its certificate may be signed by, and the HTTP proxy on the way.

Both are files of one directory, read again at each use, so that a changed Secret or ConfigMap needs no restart.
"""

import pathlib
import ssl
from dataclasses import dataclass, field

from whatsapp_session import urls
from whatsapp_worker import errors

CA_FILE, PROXY_FILE = "ca.crt", "proxy"
_EXAMPLE = "http://user:password@proxy.example.com:3128"


@dataclass(frozen=True, slots=True)
class Route:
    """How a server is reached; two that are equal are the same to a client."""

    ca_file: str | None = None
    """Path of PEM certificates that sign the server's; None: the public authorities that the client knows."""
    ca: str = field(default="", repr=False)
    """What the file held."""
    proxy: str | None = field(default=None, repr=False)
    """Address of an HTTP proxy, perhaps with user and password."""


DIRECT = Route()


def read(directory: pathlib.Path | None) -> Route:
    """Return the route that a directory holds; raises StoreDenied with a sentence for what can never work."""
    if directory is None:
        return DIRECT
    ca, proxy = _text(directory / CA_FILE), _text(directory / PROXY_FILE)
    if ca is None and proxy is None:
        raise errors.SecretMissing(
            "neither the store's CA bundle (spec.caBundle) nor its proxy (spec.proxySecretRef) is there"
        )
    if ca is not None:
        _check_certificates(ca)
    if proxy is not None:
        fault = urls.fault(proxy, ("http", "https"), _EXAMPLE)
        if fault is not None:
            raise errors.StoreDenied(f"the address of the store's proxy (spec.proxySecretRef) {fault}")
    return Route(None if ca is None else str(directory / CA_FILE), ca or "", proxy)


def _text(path: pathlib.Path) -> str | None:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise errors.StoreDenied(f"the store's {path.name} cannot be read ({type(error).__name__})") from None


def _check_certificates(pem: str) -> None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        context = None
    if context is None or not context.cert_store_stats()["x509"]:
        raise errors.StoreDenied(
            "the store's CA bundle (spec.caBundle) holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"
        )
