"""Talk to the server: credentials are read at each use, every call has a time-out, errors are translated."""

import base64
import hashlib
import pathlib
import re
import threading
import urllib.parse
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import boto3
import botocore.config
import botocore.exceptions
import botocore.parsers
import urllib3.exceptions

from whatsapp_session import urls
from whatsapp_worker import errors
from whatsapp_worker.stores import clock_difference, credentials, network, retry, route
from whatsapp_worker.stores.s3 import address, answers

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 15.0
"""Seconds without a byte after which a request is given up."""
CONNECTIONS = 8
_T = TypeVar("_T")
_CODE = re.compile(r"[A-Za-z0-9.]{1,64}")
_FILES = ("accessKeyId", "secretAccessKey", "sessionToken")
_SKEWED = "RequestTimeTooSkewed"
_MEND = {
    "NoSuchBucket": "the bucket does not exist",
    "InvalidBucketName": "the server does not accept the bucket's name",
    "PermanentRedirect": "the bucket is in another region; set the region",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set the region",
    _SKEWED: "the clock of this machine differs too much from the store's; set the clock",
    "ExpiredToken": "the credentials have expired",
    "InvalidAccessKeyId": "the server does not know the access key",
    "SignatureDoesNotMatch": "the secret access key is wrong",
    "MethodNotAllowed": "the store is read-only or does not support the request",
}
_FULL = ("QuotaExceeded", "InsufficientStorage", "StorageFull", "XMinioStorageFull", "InsufficientCapacity")
_WHOLE = {
    "put_object": ("ETag",),
    "get_object": ("ETag", "ContentLength", "Body"),
    "head_object": ("ETag", "ContentLength", "LastModified"),
    "list_objects_v2": ("IsTruncated",),
    "list_multipart_uploads": ("IsTruncated",),
    "create_multipart_upload": ("UploadId",),
    "upload_part": ("ETag",),
    "upload_part_copy": ("CopyPartResult",),
    "complete_multipart_upload": ("ETag",),
}
"""What an answer must hold: something between the worker and the store may answer, and a listing without entries must
be a listing.
"""
_NETWORK = (
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.ConnectionError,
    botocore.exceptions.IncompleteReadError,
    urllib3.exceptions.HTTPError,
    OSError,
)
_UNKNOWN = ("NotImplemented", "UnsupportedOperation", "UnsupportedHeader")
"""Codes of servers that do not know a request, or a header of it."""
_FEATURES = {
    "upload_part_copy": "UploadPartCopy, copies between objects",
    "list_multipart_uploads": "ListMultipartUploads, the listing of unfinished uploads",
    "create_multipart_upload": "multipart uploads, without which no archive above 8 MiB can be stored",
    "list_objects_v2": "ListObjectsV2",
    "ServerSideEncryption": "the encryption of spec.s3.serverSideEncryption (sse)",
    "ChecksumCRC32": "the checksums of the request",
}
"""What is needed besides If-None-Match, by the call or an argument of it."""
_FENCES = frozenset({"IfMatch", "IfNoneMatch"})
"""Conditions on what is written; one on the source of a copy keeps nobody apart."""


class Conflict(errors.StoreError):
    """A condition of the request did not hold (412)."""


class Unsupported(errors.StoreDenied):
    """The server does not know something that the request holds."""


class UploadGone(errors.StoreError):
    """The upload in parts does not exist (any more)."""


class Server:
    """A client for one bucket that follows changes of the credentials' files."""

    def __init__(
        self,
        where: address.Place,
        secrets: credentials.Files,
        waiting: retry.Patience,
        network: pathlib.Path | None = None,
    ) -> None:
        self.where = where
        self.patience = waiting
        self._secrets = secrets
        self._network = network
        self._lock = threading.Lock()
        self._known: tuple[tuple[str, ...] | None, route.Route] | None = None
        self._client: Any = None
        self.knows_crc32 = True
        """False once the server has refused S3's newer checksums and taken the MD5 that every server knows."""

    def client(self) -> Any:
        """Return a client with the credentials and the route of this moment."""
        with self._lock:
            now = self._secrets.read(*_FILES[:2], optional=_FILES[2:]), route.read(self._network)
            if self._client is None or now != self._known:
                self._client, self._known = _connect(self.where, *now), now
            return self._client

    def ask(self, what: str, verb: str, **arguments: Any) -> Any:
        """Send one request to the bucket and try it again as patience allows; ``what`` names it in an error."""
        return self.patience.call(lambda: self.once(what, verb, **arguments))

    def once(self, what: str, verb: str, **arguments: Any) -> Any:
        """Send one request once."""
        try:
            with self.translated(what):
                answer = getattr(self.client(), verb)(Bucket=self.where.bucket, **arguments)
        except Conflict as error:
            if any(name.endswith("Match") for name in arguments):
                raise
            raise errors.StoreUnavailable(
                f"the store refuses a condition that the worker did not set ({error})"
            ) from None
        except Unsupported as error:
            raise self._lacking(verb, arguments, str(error)) from None
        if any(member not in answer for member in _WHOLE.get(verb, ())):
            raise errors.StoreUnavailable(f"the store's answer ended early ({what})")
        return answer

    def send(self, what: str, verb: str, content: bytes | bytearray, **arguments: Any) -> Any:
        """Send content with a checksum that the server compares: CRC32, or MD5 where the server knows nothing newer."""
        try:
            return self.ask(what, verb, Body=content, **self.checksum(content), **arguments)
        except (Unsupported, errors.StoreUnfenced):
            if not self.knows_crc32:
                raise
            # Nothing says which header it was: if the request passes with the other checksum, it was the checksum.
            answer = self.ask(what, verb, Body=content, ContentMD5=_md5(content), **arguments)
            self.knows_crc32 = False
            return answer

    def checksum(self, content: bytes | bytearray) -> dict[str, str]:
        """Return the argument with which the server compares what arrives."""
        return {"ChecksumCRC32": _crc32(content)} if self.knows_crc32 else {"ContentMD5": _md5(content)}

    def _lacking(self, verb: str, arguments: Mapping[str, Any], said: str) -> errors.WorkerError:
        """Name what the server does not support."""
        where = self.where.endpoint
        server = f"the S3 server at {urls.host(where)}" if where else "the S3 server"
        if not _FENCES.isdisjoint(arguments):
            header = "If-None-Match" if "IfNoneMatch" in arguments else "If-Match"
            return errors.StoreUnfenced(
                f"{server} does not support {header} ({said}), so two workers could run one session: "
                "use another server, or accept it with allowUnfenced"
            )
        for name, feature in _FEATURES.items():
            if name in (verb, *arguments):
                return Unsupported(f"{server} does not support {feature} ({said})")
        return Unsupported(f"{server} does not support a request that the store needs ({said}: {verb})")

    def _dates(self, error: BaseException) -> str | None:
        """Return why the server's certificate is not valid at this time, None if that is not what is wrong."""
        if self._known is None:
            return None
        address = urllib.parse.urlsplit(str(self._client.meta.endpoint_url))
        return clock_difference.of_certificate(error, address.hostname or "", address.port or 443, self._known[1])

    @contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Turn the client's exceptions into ours; the originals, which hold addresses, are not chained."""
        try:
            yield
        except botocore.exceptions.ClientError as error:
            raise _answered(error, what, self.where.bucket) from None
        except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError):
            raise errors.StoreDenied(
                "the store has no credentials; give a Secret, AWS_* variables or a web identity"
            ) from None
        except (botocore.exceptions.ConnectTimeoutError, botocore.exceptions.ReadTimeoutError, TimeoutError):
            raise errors.StoreUnavailable(f"the store s3:{self.where.bucket} did not answer in time ({what})") from None
        except _NETWORK as error:
            if (dates := self._dates(error)) is not None:
                raise errors.StoreDenied(
                    f"no TLS connection to the store s3:{self.where.bucket} ({what}): {dates}"
                ) from None
            why = network.why(error) or _name(error)
            raise errors.StoreUnavailable(
                f"no connection to the store s3:{self.where.bucket}, or it broke ({what}: {why})"
            ) from None
        except botocore.parsers.ResponseParserError:
            text = f"the server at the store's endpoint does not speak S3, or closed the connection ({what})"
            raise errors.StoreUnavailable(text) from None
        except botocore.exceptions.BotoCoreError as error:
            raise errors.StoreUnavailable(f"the request to the store failed ({what}: {_name(error)})") from None


def _name(error: Exception) -> str:
    return type(error).__name__


def _crc32(content: bytes | bytearray) -> str:
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


def _md5(content: bytes | bytearray) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _connect(where: address.Place, secret: tuple[str, ...] | None, way: route.Route) -> Any:
    answers.require_whole_headers()
    config = botocore.config.Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": 1},  # ours know the deadline
        signature_version="s3v4",
        s3={"addressing_style": "path" if where.path_style else "auto"},
        max_pool_connections=CONNECTIONS,
        # We say the checksum of each part ourselves; servers that know none of this still take our requests.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        tcp_keepalive=True,
        proxies=None if way.proxy is None else {"http": way.proxy, "https": way.proxy},
    )
    keys = dict(zip(("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), secret or (), strict=False))
    session = boto3.session.Session(**{name: value for name, value in keys.items() if value})
    try:
        return session.client(
            "s3", region_name=where.region, endpoint_url=where.endpoint, config=config, verify=way.ca_file
        )
    except (ValueError, botocore.exceptions.BotoCoreError) as error:
        raise errors.ConfigurationError(f"the store's region or endpoint is not valid ({_name(error)})") from None


def _answered(error: botocore.exceptions.ClientError, what: str, bucket: str) -> errors.WorkerError:
    answer: Any = error.response
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    given = str(answer.get("Error", {}).get("Code", ""))
    code = given if _CODE.fullmatch(given) else "unknown"
    said = f"{what}: {status} {code}"
    if given in ("", str(status)):
        said = f"{what}: {status} without an S3 error code; check that the endpoint is an S3 server"
    if code == "NoSuchKey":
        return errors.NotFound(what)
    if code == "NoSuchUpload":
        return UploadGone(said)
    if status == 412:
        return Conflict(said)
    if status in (400, 401, 403) and (code == _SKEWED or code not in _MEND):
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        clocks = clock_difference.of_signature(headers, answer.get("Error", {}).get("ServerTime"))
        if clocks is not None:
            return errors.StoreDenied(f"the store s3:{bucket} refuses signatures of this time: {clocks} ({said})")
    if code in _MEND:
        return errors.StoreDenied(f"the store refuses the bucket {bucket}: {_MEND[code]} ({said})")
    if status == 507 or code in _FULL:
        return errors.StoreFull(f"the store is full; make room in it ({said})")
    if status in (401, 403):
        return errors.StoreDenied(
            f"the store denies access to the bucket {bucket}; check credentials and rights ({said})"
        )
    if status == 501 or code in _UNKNOWN:
        return Unsupported(said)
    if status == 404 or status >= 500 or status in (408, 409, 429):
        # A 404 that does not name the key comes from something between us and the store.
        return errors.StoreUnavailable(f"the store cannot serve the request now ({said})")
    return errors.StoreUnavailable(f"the store gave an unexpected answer ({said})")
