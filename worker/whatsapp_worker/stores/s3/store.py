"""The four primitives, the copy for the JavaScript stores and the sweep on one bucket."""

import contextlib
import datetime
import itertools
import pathlib
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

from whatsapp_worker import errors, stores
from whatsapp_worker.stores import credentials, retry
from whatsapp_worker.stores.s3 import address, download, requests, upload

_NONCE = "whatsapp-create"
_SOURCE = "whatsapp-archive"
_PAGE = 1000
"""Uploads in parts that are listed at a time: S3's most."""
_COPY_PART = 5 << 30
"""Bytes that one UploadPartCopy takes at most."""


class S3Store:
    """Store names as objects below a path of a bucket.

    ``where`` is a Place or a bucket's name. Credentials: one file each in the directory ``secrets`` (``accessKeyId``,
    ``secretAccessKey``, ``sessionToken``), read again at each use; without it boto3's own chain.
    ``network`` is a directory that ``stores.route`` reads.
    """

    visibility = 0.0
    """S3 is strongly consistent: whoever reads after a create sees it."""

    def __init__(
        self,
        where: address.Place | str,
        secrets: pathlib.Path | None = None,
        allow_unfenced: bool = False,
        waiting: retry.Patience | None = None,
        network: pathlib.Path | None = None,
    ) -> None:
        self.where = address.Place(where) if isinstance(where, str) else where
        self._server = requests.Server(self.where, credentials.Files(secrets), waiting or retry.Patience(), network)
        self._allow_unfenced = allow_unfenced
        self._exclusive = allow_unfenced
        """The server was seen to refuse a second create, or the user does not mind."""

    def __repr__(self) -> str:
        return f"S3Store(bucket={self.where.bucket!r}, remote_data_path={self.where.remote_data_path!r})"

    def create(self, name: str, content: Iterable[bytes]) -> None:
        """PutObject with If-None-Match for what fits into one part, else parts and a conditional completion.

        The object carries a nonce, because a repetition of a request that succeeded is told that the name exists.
        Raises StoreUnfenced if the server is seen to let a second writer win.
        """
        key, nonce = self.where.key(stores.checked(name)), secrets.token_hex(16)
        cut = upload.parts(content)
        first = next(cut, bytearray())
        second = next(cut, None) if len(first) == upload.PART else None
        try:
            if second is None:
                self._put(name, key, nonce, first)
            else:
                self._put_parts(name, key, nonce, itertools.chain((first, second), cut))
        except requests.Conflict:
            if self._nonce(name, key) != nonce:
                raise errors.AlreadyExists(name) from None

    def _put(self, name: str, key: str, nonce: str, content: bytearray) -> None:
        arguments = self._options({_NONCE: nonce}) | {"Key": key}
        try:
            self._server.send(name, "put_object", content, IfNoneMatch="*", **arguments)
        except errors.StoreUnfenced:
            if not self._allow_unfenced:
                raise
            self._put_after_a_look(name, content, arguments)
        if not self._exclusive:
            # The same bytes once more: a server that honours the condition refuses, another one changes nothing.
            try:
                self._server.send(name, "put_object", content, IfNoneMatch="*", **arguments)
            except requests.Conflict:
                self._exclusive = True
            else:
                raise errors.StoreUnfenced(
                    "the S3 server ignores If-None-Match, so two workers could run one session: "
                    "use another server, or accept it with allowUnfenced"
                )

    def _put_after_a_look(self, name: str, content: bytearray, arguments: dict[str, Any]) -> None:
        if self._head(name, arguments["Key"]) is not None:
            raise errors.AlreadyExists(name)
        self._server.send(name, "put_object", content, **arguments)

    def _put_parts(self, name: str, key: str, nonce: str, content: Iterable[bytearray]) -> None:
        under_way = upload.Upload(self._server, name, key, self._options({_NONCE: nonce}))
        under_way.begin_checked()
        try:
            under_way.send(content)
            try:
                under_way.complete(IfNoneMatch="*")
            except errors.StoreUnfenced:
                # Slots of the log, on which the fence stands, are small. Two writers never share an archive's name.
                if self._head(name, key) is not None:
                    raise errors.AlreadyExists(name) from None
                under_way.complete()
        except BaseException:
            under_way.abort()
            raise

    def _nonce(self, name: str, key: str) -> str:
        found = self._head(name, key)
        if found is None:
            raise errors.StoreUnavailable(f"the store reports that {name} exists but does not return it")
        return str(found.get("Metadata", {}).get(_NONCE, ""))

    def _options(self, metadata: dict[str, str]) -> dict[str, Any]:
        options: dict[str, Any] = {"Metadata": metadata}
        if self.where.sse:
            options["ServerSideEncryption"] = self.where.sse
        if self.where.kms_key_id:
            options["SSEKMSKeyId"] = self.where.kms_key_id
        return options

    def _head(self, name: str, key: str) -> Any | None:
        """Return an object's head, None only if a listing confirms that it is not there: a 404 without words may be
        anybody's.
        """

        def look() -> Any | None:
            try:
                return self._server.once(name, "head_object", Key=key)
            except (errors.StoreDenied, errors.StoreFull):
                raise
            except errors.StoreUnavailable:
                listed = self._server.once(name, "list_objects_v2", Prefix=key, MaxKeys=1)
                if any(item["Key"] == key for item in listed.get("Contents", ())):
                    raise
                return None

        return self._server.patience.call(look)

    def read(self, name: str) -> Iterator[bytes]:
        """Ask now, so that NotFound comes before the first chunk; a broken stream goes on where it broke."""
        return download.Download(self._server, name, self.where.key(stores.checked(name))).chunks()

    def list(self, prefix: str) -> Iterator[stores.Entry]:
        """Page through the listing."""
        start = self.where.key(stores.checked(prefix.rstrip("/"))) + "/"
        cut = len(self.where.prefix)
        after: dict[str, str] = {}
        while True:
            page = self._server.ask(prefix, "list_objects_v2", Prefix=start, **after)
            for item in page.get("Contents", ()):
                yield stores.Entry(str(item["Key"])[cut:], int(item["Size"]))
            if not page.get("IsTruncated"):
                return
            after = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, name: str) -> None:
        """DeleteObject, which says the same for a name that is not there."""
        self._server.ask(name, "delete_object", Key=self.where.key(stores.checked(name)))

    def stat_copy(self, session: str) -> stores.Copy | None:
        """Look at ``<remoteDataPath>/<session>.zip``."""
        found = self._head(f"{session}.zip", self._copy_key(session))
        if found is None:
            return None
        source = str(found.get("Metadata", {}).get(_SOURCE, ""))
        return stores.Copy(int(found["ContentLength"]), found["LastModified"], str(found["ETag"]), source)

    def put_copy(
        self, name: str, session: str, uploaded: datetime.datetime, replaces: stores.Copy | None
    ) -> stores.Copy:
        """Copy on the server's side: an upload whose parts are the archive's, completed on condition.

        CopyObject knows no condition on its target (501 on AWS). ``uploaded`` has no use here: S3 says when.
        """
        archive = self._head(name, self.where.key(stores.checked(name)))
        if archive is None:
            raise errors.NotFound(name)
        size, key = int(archive["ContentLength"]), self._copy_key(session)
        spans = [f"bytes={at}-{min(at + _COPY_PART, size) - 1}" for at in range(0, size, _COPY_PART)]
        under_way = upload.Upload(self._server, name, key, self._options({_SOURCE: name}))
        under_way.begin()
        try:
            under_way.copy(self.where.key(name), str(archive["ETag"]), spans if len(spans) > 1 else [None])
            condition = {"IfMatch": replaces.version} if replaces else {"IfNoneMatch": "*"}
            try:
                under_way.complete(**condition)
            except errors.StoreUnfenced:
                # The server knows the condition for small objects only; the log has fenced our own writers.
                if self.stat_copy(session) != replaces:
                    raise requests.Conflict(name) from None
                under_way.complete()
        except (requests.Conflict, errors.NotFound):
            under_way.abort()  # a server says NoSuchKey where the object of If-Match is gone
            made = self.stat_copy(session)
            if made is None or made.source != name:
                raise errors.CopyChanged(f"the copy of {session} was written by another program") from None
            return made
        except BaseException:
            under_way.abort()
            raise
        made = self.stat_copy(session)
        if made is None or made.source != name:
            raise errors.CopyChanged(f"the copy of {session} was written by another program at the same time")
        return made

    def read_copy(self, session: str) -> Iterator[bytes]:
        """Stream the copy."""
        return download.Download(self._server, f"{session}.zip", self._copy_key(session)).chunks()

    def delete_copy(self, session: str) -> None:
        """Delete the copy."""
        self._server.ask(f"{session}.zip", "delete_object", Key=self._copy_key(session))

    def _copy_key(self, session: str) -> str:
        return self.where.key(stores.checked(f"{session}.zip"))

    def sweep(self, prefix: str) -> None:
        """Abort uploads in parts that a killed writer began.

        A worker without the rights for it goes on: a lifecycle rule of the bucket does the same.
        """
        session = stores.checked(prefix.rstrip("/"))
        for start in (self.where.key(session) + "/", self._copy_key(session)):
            with contextlib.suppress(errors.StoreDenied):
                self._abort_uploads(prefix, start)

    def _abort_uploads(self, prefix: str, start: str) -> None:
        # The first page each time, since what was on it is gone: versitygw 1.8 refuses the markers that it returns.
        gone: set[str] = set()
        while True:
            page = self._server.ask(prefix, "list_multipart_uploads", Prefix=start, MaxUploads=_PAGE)
            found = [each for each in page.get("Uploads", ()) if each["UploadId"] not in gone]
            for each in found:
                with contextlib.suppress(requests.UploadGone):  # it is what was wanted
                    self._server.ask(prefix, "abort_multipart_upload", Key=each["Key"], UploadId=each["UploadId"])
                gone.add(each["UploadId"])
            if not found or not page.get("IsTruncated"):
                return
