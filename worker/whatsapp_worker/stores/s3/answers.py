"""Refuse an HTTP answer that breaks off within its headers.

Python's HTTP client takes the end of the connection for the end of the headers. The last header can then be half of
what the server sent: an ETag that no server knows, or a size that is too small. boto3 offers no setting for this, but
takes the class of its connections' responses from an attribute.
"""

import http.client
from typing import IO, Any, cast

import botocore.awsrequest


class _Lines:
    """Reads lines from a stream and keeps the last one."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self.stream.readline(limit)
        return self.last

    def close(self) -> None:
        self.stream.close()


class WholeResponse(http.client.HTTPResponse):
    """A response whose status line and headers came whole; raises http.client.IncompleteRead else."""

    fp: Any

    def begin(self) -> None:
        """Read the status line and the headers."""
        lines = _Lines(self.fp)
        self.fp = lines
        try:
            super().begin()
        finally:
            if self.fp is lines:
                self.fp = lines.stream
        if not lines.last.endswith(b"\n"):
            self.close()
            raise http.client.IncompleteRead(b"")


def require_whole_headers() -> None:
    """Make all clients of boto3 in this process refuse such answers."""
    cast(Any, botocore.awsrequest.AWSHTTPConnection).response_class = WholeResponse
    cast(Any, botocore.awsrequest.AWSHTTPSConnection).response_class = WholeResponse
