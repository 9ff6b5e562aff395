"""Define what an API server may answer instead of what was hoped for.

::

    KubeError             the API server did not do what was asked
    ├── Conflict          409, or the object is gone: somebody else was there first
    ├── Refused           400, 403, 422, a failing webhook: asking again will not help until something changes
    └── Unreachable       no answer, 5xx, 429: asking again will help

``answers`` translates what the API server says; nothing else knows its statuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the API server: a verb of ``requests``, and the object."""

    verb: str = ""
    kind: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """One of the causes that the API server gives for an answer (``details.causes``)."""

    reason: str = ""
    field: str = ""
    """Path in the object that was sent."""
    message: str = ""


class KubeError(Exception):
    """An answer of the API server that is not the one that was hoped for; ``status`` 0 when there was none."""

    def __init__(self, status: int, message: str, asked: Asked | None = None, causes: Sequence[Cause] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.asked = asked or Asked()
        self.causes = tuple(causes)


class Conflict(KubeError):  # noqa: N818  the API's own word
    """The object exists already, is not the one that was meant (precondition), or is gone."""


class Refused(KubeError):  # noqa: N818  the API's own word
    """The server understood and said no: validation, admission, quota, rights."""


class Unreachable(KubeError):  # noqa: N818  the API's own word
    """The server did not answer or asks for patience."""
