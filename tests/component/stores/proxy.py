"""A TCP proxy in front of a store's server that spoils exchanges on purpose.

It reads whole requests and answers (HTTP, or MongoDB's messages), so that a fault can be aimed at one kind of request.
"""

import contextlib
import enum
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import bson

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)


class How(enum.Enum):
    """What happens to an exchange."""

    REFUSE = "the connection is reset before the server sees the request"
    LOSE = "the server does what is asked, and the connection is reset before the answer"
    RESET = "the connection is reset within the answer"
    END = "the connection is closed within the answer, as if it were whole"
    HANG = "nothing ever comes back"
    DELAY = "the answer comes late"
    ANSWER = "something in between answers"
    FLIP = "a bit of the request is turned on its way"


@dataclass(slots=True)
class Fault:
    """A fault for the next ``times`` requests that ``on`` accepts."""

    how: How
    on: Callable[[bytes], bool]
    times: int = 1
    share: float = 0.5
    """How much of the answer comes through (RESET, END)."""
    seconds: float = 0.0
    answer: bytes | Callable[[bytes], bytes] = b""
    """What comes back (ANSWER), or how it is made from the request."""
    met: int = 0


class End(Exception):  # noqa: N818  the end of a connection is no error here
    """A peer closed its side."""


@dataclass(slots=True)
class Proxy:
    """Forwards to a port of loopback; ``http`` says which protocol is read."""

    target: int
    http: bool
    faults: list[Fault] = field(default_factory=list)
    choose: Callable[[bytes], Fault | None] = field(default=lambda request: None)
    """Asked for what no fault was made for."""
    _listener: socket.socket = field(default_factory=socket.socket)
    _open: set[socket.socket] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def fault(self, how: How, on: bytes = b"", times: int = 1, **detail: object) -> Fault:
        """Spoil the next requests that hold the words ``on`` (a regular expression)."""
        wanted = re.compile(on)
        made = Fault(how, lambda request: bool(wanted.search(request[:4096])), times, **detail)  # type: ignore[arg-type] # the fields of Fault
        with self._lock:
            self.faults.append(made)
        return made

    def take(self, request: bytes) -> Fault | None:
        """Return the fault for a request and count it."""
        with self._lock:
            for fault in self.faults:
                if fault.met < fault.times and fault.on(request):
                    fault.met += 1
                    return fault
        return self.choose(request)

    def run(self) -> None:
        """Accept connections until the listener is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        upstream = socket.create_connection(("127.0.0.1", self.target))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {client, upstream}
        try:
            while self._exchange(client, upstream):
                pass
        except (End, OSError):
            pass
        finally:
            with self._lock:
                self._open -= {client, upstream}
            client.close()
            upstream.close()

    def _exchange(self, client: socket.socket, upstream: socket.socket) -> bool:
        request = _http_message(client, answer=False) if self.http else _wire_message(client)
        fault = self.take(request)
        match fault.how if fault else None:
            case How.REFUSE:
                return _reset(client)
            case How.HANG:
                self._closed.wait()
                return False
            case How.ANSWER:
                assert fault
                client.sendall(fault.answer(request) if callable(fault.answer) else fault.answer)
                return not self.http
        if fault and fault.how is How.FLIP:
            request = request[:-1] + bytes([request[-1] ^ 1])
        upstream.sendall(request)
        head_only = request.startswith(b"HEAD ")
        answer = _http_message(upstream, answer=True, head_only=head_only) if self.http else _wire_message(upstream)
        match fault.how if fault else None:
            case How.LOSE:
                return _reset(client)
            case How.RESET | How.END:
                assert fault
                client.sendall(answer[: max(1, int(len(answer) * fault.share))])
                time.sleep(0.05)  # let it arrive: a reset discards what is on its way
                return _reset(client) if fault.how is How.RESET else False
            case How.DELAY:
                assert fault
                self._closed.wait(fault.seconds)
        client.sendall(answer)
        return True

    def close(self) -> None:
        """End every connection and wait for the threads."""
        self._closed.set()
        with self._lock:
            for one in (self._listener, *self._open):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(30)


@contextlib.contextmanager
def running(target: int, *, http: bool) -> Iterator[Proxy]:
    """Run a proxy in front of a port until the block ends."""
    proxy = Proxy(target, http)
    proxy._listener.bind(("127.0.0.1", 0))
    proxy._listener.listen(64)
    accepting = threading.Thread(target=proxy.run)
    accepting.start()
    try:
        yield proxy
    finally:
        proxy.close()
        accepting.join(30)


def _reset(client: socket.socket) -> bool:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _some(peer: socket.socket) -> bytes:
    chunk = peer.recv(1 << 16)
    if not chunk:
        raise End
    return chunk


def _exactly(peer: socket.socket, already: bytes, size: int) -> bytes:
    whole = bytearray(already)
    while len(whole) < size:
        whole += _some(peer)
    return bytes(whole)


def _wire_message(peer: socket.socket) -> bytes:
    head = _exactly(peer, b"", 4)
    return _exactly(peer, head, int.from_bytes(head[:4], "little"))


def _http_message(peer: socket.socket, *, answer: bool, head_only: bool = False) -> bytes:
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            received += _some(peer)
        head, _, rest = received.partition(b"\r\n\r\n")
        if not (answer and head.startswith(b"HTTP/1.1 100")):
            break
        received = rest
    if not answer and _EXPECT.search(head):
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    head += b"\r\n\r\n"
    if head_only:
        return head
    if _CHUNKED.search(head):
        body = rest
        while not body.endswith(b"0\r\n\r\n"):
            body += _some(peer)
        return head + body
    length = _LENGTH.search(head)
    return _exactly(peer, head + rest, len(head) + int(length[1]) if length else len(head))


def mongo_error(code: int, label: str = "injected") -> Callable[[bytes], bytes]:
    """Return what makes a failure of MongoDB for a request."""

    def answer(request: bytes) -> bytes:
        body = bson.encode(
            {"ok": 0.0, "code": code, "codeName": label, "errmsg": "injected for mongodb://u:pass-word@h"}
        )
        payload = struct.pack("<I", 0) + b"\0" + body
        return struct.pack("<iiii", 16 + len(payload), 1, *struct.unpack("<i", request[4:8]), 2013) + payload

    return answer


def s3_error(status: int, code: str = "") -> bytes:
    """Return an answer of an S3 server, or without a code one of something in between."""
    body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>" if code else "<html>no such page</html>"
    head = f"HTTP/1.1 {status} Injected\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return (head + body).encode()
