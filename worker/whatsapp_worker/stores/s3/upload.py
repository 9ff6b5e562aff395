"""Write an object in parts, several at a time, in bounded memory, with a checksum for each that the server compares."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

from whatsapp_worker import errors
from whatsapp_worker.stores.s3 import requests

PART = 8 << 20
"""Bytes of a part: 10,000 of them, S3's limit, are 80 GB."""
AT_ONCE = 3
"""Parts under way: with the one being filled, 32 MiB of memory."""


def parts(content: Iterable[bytes], size: int = PART) -> Iterator[bytearray]:
    """Cut a stream into parts of ``size`` bytes; an empty stream is one empty part."""
    filling, filled = bytearray(size), 0  # as long as it will be: growing would copy it again and again
    for chunk in content:
        view = memoryview(chunk)
        while filled + len(view) >= size:
            room = size - filled
            filling[filled:] = view[:room]
            view = view[room:]
            yield filling
            filling, filled = bytearray(size), 0
        filling[filled : filled + len(view)] = view
        filled += len(view)
    if filled:
        del filling[filled:]
        yield filling


@dataclass(slots=True)
class Upload:
    """One object in the making; nobody sees it before ``complete``."""

    server: requests.Server
    name: str
    key: str
    options: Mapping[str, Any]
    """Arguments of the creation: metadata, encryption."""
    _id: str = ""
    _done: dict[int, dict[str, Any]] = field(default_factory=dict)

    def begin(self, **more: str) -> None:
        """Ask for an upload; ``more`` says how its parts are checked."""
        answer = self._ask("create_multipart_upload", **self.options, **more)
        self._id = str(answer["UploadId"])

    def begin_checked(self) -> None:
        """Ask for an upload whose parts the server compares by CRC32, where it knows that; by MD5 else."""
        if self.server.knows_crc32:
            with contextlib.suppress(requests.Unsupported):
                self.begin(ChecksumAlgorithm="CRC32")
                return
            self.begin()
            self.server.knows_crc32 = False
        else:
            self.begin()

    def send(self, content: Iterable[bytearray]) -> None:
        """Send all parts; the first that fails for good ends it."""
        with futures.ThreadPoolExecutor(AT_ONCE, thread_name_prefix="s3-part") as pool:
            waiting: set[futures.Future[None]] = set()
            try:
                for number, part in enumerate(content, 1):
                    waiting.add(pool.submit(self._send, number, part))
                    del part  # the pool has the only reference
                    if len(waiting) >= AT_ONCE:
                        waiting = self._settled(waiting, futures.FIRST_COMPLETED)
                self._settled(waiting, futures.ALL_COMPLETED)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    @staticmethod
    def _settled(waiting: set[futures.Future[None]], when: str) -> set[futures.Future[None]]:
        done, rest = futures.wait(waiting, return_when=when)
        for future in done:
            future.result()
        return rest

    def _send(self, number: int, part: bytearray) -> None:
        arguments = {"Key": self.key, "UploadId": self._id, "PartNumber": number}
        answer = self.server.send(self.name, "upload_part", part, **arguments)
        told = {name: value for name, value in self.server.checksum(part).items() if name.startswith("Checksum")}
        self._done[number] = {"PartNumber": number, "ETag": answer["ETag"], **told}

    def copy(self, source_key: str, source_etag: str, ranges: Iterable[str | None]) -> None:
        """Take the parts from another object of the bucket, on the server's side."""
        for number, span in enumerate(ranges, 1):
            source = {"Bucket": self.server.where.bucket, "Key": source_key}
            more = {"CopySourceRange": span} if span else {}
            answer = self._ask(
                "upload_part_copy",
                UploadId=self._id,
                PartNumber=number,
                CopySource=source,
                CopySourceIfMatch=source_etag,
                **more,
            )["CopyPartResult"]
            self._done[number] = {"PartNumber": number, "ETag": answer["ETag"]}

    def complete(self, **condition: str) -> Any:
        """Let the object appear if the condition holds; raises requests.Conflict else.

        An upload that is gone at a repetition was completed by the answer that was lost, or refused: also Conflict,
        and the caller looks whose object stands there.
        """
        listed = [self._done[number] for number in sorted(self._done)]
        try:
            return self._ask(
                "complete_multipart_upload", UploadId=self._id, MultipartUpload={"Parts": listed}, **condition
            )
        except requests.UploadGone as error:
            raise requests.Conflict(str(error)) from None

    def abort(self) -> None:
        """Drop what was sent; what cannot be dropped now is swept at a later start."""
        if self._id:
            with contextlib.suppress(errors.WorkerError):
                self.server.once(self.name, "abort_multipart_upload", Key=self.key, UploadId=self._id)

    def _ask(self, verb: str, **arguments: Any) -> Any:
        return self.server.ask(self.name, verb, Key=self.key, **arguments)
