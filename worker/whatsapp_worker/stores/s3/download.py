"""Read an object as one stream that goes on where it broke, a little ahead of the reader.

Several ranges at a time were tried: on two cores they were no faster, and took 64 MiB instead of 8.
"""

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Any

from whatsapp_worker import errors
from whatsapp_worker.stores.s3 import requests

PIECE = 1 << 20
AHEAD = 8
"""Pieces that wait for the reader, who computes a digest and writes to a disk meanwhile."""


class Download:
    """The content of one object. The request is sent at once, so that NotFound comes before the first chunk."""

    def __init__(self, server: requests.Server, name: str, key: str) -> None:
        self._server = server
        self._name = name
        self._key = key
        answer = server.ask(name, "get_object", Key=key)
        self._etag = str(answer["ETag"])
        self._stream: Any = answer["Body"]
        self.size = int(answer["ContentLength"])
        self._at = 0

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole content; raises StoreUnavailable rather than end early."""
        if self.size <= PIECE:
            yield from self._pieces()
            return
        ahead: queue.Queue[bytes | Exception | None] = queue.Queue(AHEAD)
        given_up = threading.Event()
        fetching = threading.Thread(target=self._fetch, args=(ahead, given_up), name="s3-read")
        fetching.start()
        try:
            while (piece := ahead.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            given_up.set()
            fetching.join()

    def _fetch(self, ahead: "queue.Queue[bytes | Exception | None]", given_up: threading.Event) -> None:
        def put(piece: bytes | Exception | None) -> None:
            while not given_up.is_set():
                with contextlib.suppress(queue.Full):
                    ahead.put(piece, timeout=0.1)
                    return

        try:
            for piece in self._pieces():
                put(piece)
                if given_up.is_set():
                    return
            put(None)
        except Exception as error:
            put(error)

    def _pieces(self) -> Iterator[bytes]:
        try:
            while self._at < self.size:
                piece = self._server.patience.call(self._next)
                self._at += len(piece)
                yield piece
        finally:
            self._drop()

    def _next(self) -> bytes:
        if self._stream is None:
            self._stream = self._open()
        try:
            with self._server.translated(self._name):
                piece: bytes = self._stream.read(min(PIECE, self.size - self._at))
            if not piece:
                raise errors.StoreUnavailable(f"the store sent {self._at} of {self.size} bytes of {self._name}")
        except errors.StoreUnavailable:
            self._drop()
            raise
        return piece

    def _open(self) -> Any:
        arguments = {"Range": f"bytes={self._at}-{self.size - 1}", "IfMatch": self._etag}
        try:
            return self._server.once(self._name, "get_object", Key=self._key, **arguments)["Body"]
        except requests.Conflict:
            raise errors.StoreDenied(f"{self._name} changed while the worker read it") from None

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
