"""Read the address of a bucket. Pure. No error repeats a part of it: a person may have put a password there."""

import posixpath
import re
import urllib.parse
from dataclasses import dataclass

from whatsapp_session import urls
from whatsapp_worker import errors

EXAMPLE = "s3:BUCKET/PATH?region=eu-central-1"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"({_LABEL}[.])*{_LABEL}[.]?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
"""What the client takes for a host's name or address."""
_FIELDS = ("region", "endpoint", "forcePathStyle", "sse", "kmsKeyId")
_SSE = ("", "AES256", "aws:kms")


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and how it is reached; ``remote_data_path`` is the JavaScript store's option of that name."""

    bucket: str
    remote_data_path: str = ""
    region: str | None = None
    endpoint: str | None = None
    path_style: bool = False
    sse: str = ""
    """Encryption by the server: "" leaves it to the bucket, ``AES256``, ``aws:kms``."""
    kms_key_id: str = ""

    def __post_init__(self) -> None:
        fault = _bucket_fault(self.bucket)
        if fault is not None:
            raise errors.ConfigurationError(f"{fault}; it must look like {EXAMPLE}")
        if ".." in self.remote_data_path.split("/"):
            raise errors.ConfigurationError("the path in the bucket may not contain '..'")
        if self.sse not in _SSE:
            raise errors.ConfigurationError("sse must be AES256 or aws:kms")
        if self.kms_key_id and self.sse != "aws:kms":
            raise errors.ConfigurationError("kmsKeyId needs sse=aws:kms")
        _check_endpoint(self.endpoint)

    def key(self, name: str) -> str:
        """Return the key of a name, joined as the JavaScript store joins it."""
        return posixpath.normpath(posixpath.join(self.remote_data_path, name)) if self.remote_data_path else name

    @property
    def prefix(self) -> str:
        """What every key begins with: "" or a folder that ends in ``/``."""
        return self.key("x")[:-1]


def _bucket_fault(bucket: str) -> str | None:
    if not bucket:
        return "the address names no bucket"
    if ":" in bucket:
        return "the bucket's name may not contain ':' (no ARN, no keys)"
    if not 3 <= len(bucket) <= 255:
        return "the address names no bucket: a bucket's name has 3 to 63 characters"
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        return (
            "the address has no name of a bucket: letters, digits, '-', '.' and '_', beginning with a letter or digit"
        )
    return None


def _check_endpoint(endpoint: str | None) -> None:
    if endpoint is None:
        return
    fault = urls.fault(endpoint, ("https", "http"), "https://s3.example.com")
    if "@" in endpoint or "%40" in endpoint:
        fault = "may not hold a user or password; use the Secret"
    if fault is None and ("?" in endpoint or "#" in endpoint):
        fault = "may not contain '?' or '#'; the region and the like are options of the store"
    if fault is None and not _HOST.fullmatch(urllib.parse.urlsplit(endpoint).hostname or ""):
        fault = "has a host with other characters than letters, digits, '-' and '.' (S3 clients refuse '_')"
    if fault is not None:
        raise errors.ConfigurationError(f"the endpoint {fault}")


def parse(rest: str) -> Place:
    """Return the place of an address without its ``s3:``; raises ConfigurationError with an example."""
    path, _, query = rest.partition("?")
    bucket, _, remote_data_path = path.partition("/")
    try:
        given = dict(urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise errors.ConfigurationError(
            f"the text after '?' in the store's address must be NAME=VALUE pairs; it must look like {EXAMPLE}"
        ) from None
    if given.keys() - set(_FIELDS):
        raise errors.ConfigurationError(
            f"the store's address has an unknown option; the options are {', '.join(_FIELDS)}"
        )
    style = given.get("forcePathStyle", "false")
    if style not in ("true", "false"):
        raise errors.ConfigurationError("forcePathStyle must be true or false")
    return Place(
        bucket=bucket,
        remote_data_path=urllib.parse.unquote(remote_data_path).rstrip("/"),
        region=given.get("region"),
        endpoint=given.get("endpoint"),
        path_style=style == "true",
        sse=given.get("sse", ""),
        kms_key_id=given.get("kmsKeyId", ""),
    )
