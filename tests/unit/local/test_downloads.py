"""Official release files: taken when they are what is pinned, refused when not, done without when unreachable."""

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.build import downloads
from deploy.local.errors import LocalClusterError


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("kubernetes/server/bin/kubectl", "kubernetes/server/bin/kubeadm"):
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    return buffer.getvalue()


ARCHIVE = _archive()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(ARCHIVE)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/file.tar.gz"
        server.shutdown()
        thread.join()


def _release(address: str, checksum: str) -> downloads.Release:
    return downloads.Release(address, "kubernetes/server/bin", checksum)


def test_the_programs_of_the_pinned_file_are_taken_and_no_others(address: str, tmp_path: Path) -> None:
    pinned = _release(address, hashlib.sha512(ARCHIVE).hexdigest())
    assert downloads.fetch(pinned, ["kubectl"], tmp_path)
    assert (tmp_path / "kubectl").read_text() == "kubernetes/server/bin/kubectl"
    assert [path.name for path in tmp_path.iterdir()] == ["kubectl"]


def test_another_file_than_the_pinned_one_is_refused_and_nothing_of_it_is_kept(address: str, tmp_path: Path) -> None:
    with pytest.raises(LocalClusterError, match="instead of the pinned one"):
        downloads.fetch(_release(address, "0" * 128), ["kubectl"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_a_program_that_is_needed_is_refused(address: str, tmp_path: Path) -> None:
    pinned = _release(address, hashlib.sha512(ARCHIVE).hexdigest())
    with pytest.raises(LocalClusterError, match="does not contain kubelet"):
        downloads.fetch(pinned, ["kubelet"], tmp_path)


def test_a_file_that_cannot_be_reached_is_done_without(address: str, tmp_path: Path) -> None:
    gone = _release("http://127.0.0.1:1/file.tar.gz", "0" * 128)
    assert not downloads.fetch(gone, ["kubectl"], tmp_path)
