"""Define the errors of requests to an API server.

::

    KubeError             the request failed
    ├── Conflict          409, or the object does not exist any more: a concurrent change
    ├── Refused           400, 403, 422, a failing webhook: a retry does not help until something changes
    └── Unreachable       no answer, 5xx, 429: a retry can help

``answers`` translates the answers of the API server; no other module handles status codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to the API server: a verb of ``requests``, and the object."""

    verb: str = ""
    kind: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause in an answer of the API server (``details.causes``)."""

    reason: str = ""
    field: str = ""
    """Path of the field in the object that was sent."""
    message: str = ""


class KubeError(Exception):
    """A failed request to the API server; ``status`` is 0 without an answer."""

    def __init__(self, status: int, message: str, asked: Asked | None = None, causes: Sequence[Cause] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.asked = asked or Asked()
        self.causes = tuple(causes)


class Conflict(KubeError):  # noqa: N818  the API's own word
    """The object exists already, has another UID or version than required, or does not exist any more."""


class Refused(KubeError):  # noqa: N818  the API's own word
    """The server rejected the request: validation, admission, quota or rights."""


class Unreachable(KubeError):  # noqa: N818  the API's own word
    """The server did not answer or asks to retry later; ``retry_after`` is in seconds, 0 if it did not say when."""

    def __init__(self, status: int, message: str, asked: Asked | None = None, *, retry_after: float = 0.0) -> None:
        super().__init__(status, message, asked)
        self.retry_after = retry_after
