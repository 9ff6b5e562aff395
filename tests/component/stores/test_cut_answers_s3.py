"""An answer of S3 that breaks off anywhere within its headers is not taken for a whole one."""

import socket
import threading
from collections.abc import Iterator

import pytest

from whatsapp_worker import errors
from whatsapp_worker.stores import credentials, retry
from whatsapp_worker.stores.s3 import address, requests

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Last-Modified: Sun, 29 Nov 2026 01:00:00 GMT\r\n"
    b"x-amz-meta-nonce: 0123456789abcdef\r\n"
    b"Content-Length: 1234567\r\n"
    b'ETag: "0123456789abcdef0123456789abcdef"\r\n'
    b"\r\n"
)
PART = HEAD.replace(b"1234567\r\n", b"0\r\n")
NEVER = retry.Patience(deadline=0.0, first=0.005, longest=0.01)


class Cutting:
    """A server on loopback that gives the first ``size`` bytes of an answer and hangs up."""

    def __init__(self) -> None:
        self.answer = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                request = client.recv(1 << 16)
                while b"\r\n\r\n" not in request:
                    request += client.recv(1 << 16)
                if b"100-continue" in request:
                    client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                client.sendall(self.answer)

    def close(self) -> None:
        """End it."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def cutting() -> Iterator[Cutting]:
    """A server that hangs up."""
    made = Cutting()
    yield made
    made.close()


@pytest.fixture
def server(cutting: Cutting, monkeypatch: pytest.MonkeyPatch) -> requests.Server:
    """A client of it that does not try again."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    where = f"sessions?region=us-east-1&endpoint=http://127.0.0.1:{cutting.port}&forcePathStyle=true"
    return requests.Server(address.parse(where), credentials.Files(None), NEVER)


@pytest.mark.parametrize(
    ("verb", "arguments", "answer"),
    [
        ("upload_part", {"UploadId": "u", "PartNumber": 1, "Body": b""}, PART),
        ("put_object", {"Body": b""}, PART),
        ("head_object", {}, HEAD),
        ("get_object", {}, HEAD),
    ],
)
def test_an_answer_cut_within_its_headers_is_no_answer(
    server: requests.Server, cutting: Cutting, verb: str, arguments: dict[str, object], answer: bytes
) -> None:
    cutting.answer = answer
    server.once("name", verb, Key="k", **arguments)
    for size in range(1, len(answer)):
        cutting.answer = answer[:size]
        with pytest.raises(errors.StoreUnavailable):
            server.once(f"after {size} of {len(answer)} bytes", verb, Key="k", **arguments)
