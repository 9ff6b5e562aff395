"""A certificate authority of the cluster's own, and the certificates of its parts, by openssl."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.commands import SYSTEM
from deploy.local.errors import LocalClusterError

_VALID_DAYS = "3650"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate is for: Kubernetes reads the common name as user and the organization as group.

    `names` are the addresses that it serves ("IP:..." or "DNS:..."); none for clients.
    """

    file: str
    user: str
    group: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Authority:
    """The directory with `ca.crt`, `ca.key` and what was issued: `<file>.crt` and `<file>.key`."""

    directory: Path

    @property
    def certificate(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def key(self) -> Path:
        return self.directory / "ca.key"

    @property
    def accounts_key(self) -> Path:
        return self.directory / "service-accounts.key"

    @property
    def accounts_public_key(self) -> Path:
        return self.directory / "service-accounts.pub"

    def certificate_of(self, file: str) -> Path:
        return self.directory / f"{file}.crt"

    def key_of(self, file: str) -> Path:
        return self.directory / f"{file}.key"


def create(directory: Path, common_name: str, identities: Sequence[Identity]) -> Authority:
    """Make the authority, the key pair that signs service accounts' tokens, and each identity."""
    if not shutil.which("openssl"):
        raise LocalClusterError("openssl is missing: install the Debian package openssl.")
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    authority = Authority(directory)
    _new_key(authority.key)
    extensions = directory / "ca.ext"
    extensions.write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
    request = _request(authority.key, f"/CN={common_name}")
    _sign(request, extensions, authority.certificate, ["-signkey", str(authority.key)])
    _new_key(authority.accounts_key)
    # The API server wants the public half in a file of its own: it reads no PKCS #8 for it.
    _openssl(["pkey", "-in", str(authority.accounts_key), "-pubout", "-out", str(authority.accounts_public_key)])
    for identity in identities:
        issue(authority, identity)
    return authority


def issue(authority: Authority, identity: Identity) -> None:
    """Write a key and a certificate for the identity."""
    key = authority.key_of(identity.file)
    _new_key(key)
    extensions = authority.directory / f"{identity.file}.ext"
    extensions.write_text(extension_lines(identity))
    group = f"/O={identity.group}" if identity.group else ""
    signer = ["-CA", str(authority.certificate), "-CAkey", str(authority.key), "-CAcreateserial"]
    request = _request(key, f"{group}/CN={identity.user}")
    _sign(request, extensions, authority.certificate_of(identity.file), signer)


def extension_lines(identity: Identity) -> str:
    """Return the X.509 extensions as openssl reads them from a file."""
    lines = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature"]
    lines.append("extendedKeyUsage=serverAuth,clientAuth" if identity.names else "extendedKeyUsage=clientAuth")
    if identity.names:
        lines.append("subjectAltName=" + ",".join(identity.names))
    return "\n".join(lines) + "\n"


def _new_key(path: Path) -> None:
    _openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path)])
    path.chmod(0o600)


def _request(key: Path, subject: str) -> str:
    # A minimal configuration: the machine's own may add extensions.
    empty = key.parent / "openssl.cnf"
    empty.write_text("[req]\ndistinguished_name=dn\n[dn]\n")
    return _openssl(["req", "-new", "-config", str(empty), "-key", str(key), "-subj", subject])


def _sign(request: str, extensions: Path, certificate: Path, signer: list[str]) -> None:
    command = ["x509", "-req", "-days", _VALID_DAYS, "-sha256", "-extfile", str(extensions), "-out", str(certificate)]
    _openssl([*command, *signer], request)


def _openssl(arguments: list[str], stdin: str = "") -> str:
    return SYSTEM.output(["openssl", *arguments], f"`openssl {arguments[0]}`", stdin)
