"""Read an object in parts, several at a time and in order, each fetched again from where its connection broke."""

import collections
import itertools
from collections.abc import Iterator
from concurrent import futures
from typing import Any

from whatsapp_worker import errors
from whatsapp_worker.stores.s3 import requests

PART = 8 << 20
"""Bytes of one request."""
AT_ONCE = 3
"""Requests under way: with the part that the reader has, 32 MiB of memory."""


class Download:
    """The content of one object. The first request is sent at once, so that NotFound comes before the first chunk."""

    def __init__(self, server: requests.Server, name: str, key: str) -> None:
        self._server = server
        self._name = name
        self._key = key
        try:
            answer = server.patience.call(self._begin)
        except requests.NoSuchRange:
            answer = server.ask(name, "get_object", Key=key)  # it is empty
        self._etag = str(answer["ETag"])
        self._first: Any = answer["Body"]
        self._ends = int(answer["ContentLength"])
        # "bytes 0-8388607/20971520"; a server that knows no ranges sends the whole.
        total = str(answer.get("ContentRange", "")).rpartition("/")[2]
        self.size = int(total) if total.isdigit() else self._ends

    def _begin(self) -> Any:
        answer = self._server.once(self._name, "get_object", Key=self._key, Range=f"bytes=0-{PART - 1}")
        if answer["ResponseMetadata"]["HTTPStatusCode"] == 206 and "ContentRange" not in answer:
            answer["Body"].close()
            raise errors.StoreUnavailable(f"the store's answer broke off ({self._name})")
        return answer

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole content; raises StoreUnavailable rather than end early."""
        starts = iter(itertools.chain([0], range(self._ends, self.size, PART)))
        with futures.ThreadPoolExecutor(AT_ONCE, thread_name_prefix="s3-part") as pool:
            waiting = collections.deque(pool.submit(self._part, at) for at in itertools.islice(starts, AT_ONCE))
            try:
                while waiting:
                    yield waiting.popleft().result()
                    waiting.extend(pool.submit(self._part, at) for at in itertools.islice(starts, 1))
            finally:
                for future in waiting:
                    future.cancel()
                self._first.close()

    def _part(self, start: int) -> bytes:
        end = self._ends if start == 0 else min(start + PART, self.size)
        got: list[bytes] = []
        missing = end - start
        opened = self._first if start == 0 else None

        def once() -> None:
            nonlocal missing, opened
            stream, opened = opened or self._open(end - missing, end), None
            try:
                with self._server.translated(self._name):
                    while missing and (piece := stream.read(min(missing, 1 << 20))):
                        got.append(piece)
                        missing -= len(piece)
            finally:
                stream.close()
            if missing:
                raise errors.StoreUnavailable(f"the store sent {end - missing} of {self.size} bytes of {self._name}")

        self._server.patience.call(once)
        return b"".join(got)

    def _open(self, start: int, end: int) -> Any:
        arguments = {"Range": f"bytes={start}-{end - 1}", "IfMatch": self._etag}
        try:
            return self._server.once(self._name, "get_object", Key=self._key, **arguments)["Body"]
        except requests.Conflict:
            raise errors.StoreDenied(f"{self._name} was written anew while it was read") from None
