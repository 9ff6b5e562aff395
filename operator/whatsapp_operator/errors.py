"""Define the errors of the operator, and who may raise them.

::

    OperatorError
    ├── UsageError            the command line or the environment is wrong (app)
    └── KubeError             the API server did not do what was asked (kube)
        ├── Conflict          409: somebody else was there first
        ├── Refused           400, 403, 422, a failing webhook: asking again will not help until something changes
        └── Unreachable       no answer, 5xx, 429: asking again will help

``kube`` translates the client's exceptions; nothing else knows them.
"""


class OperatorError(Exception):
    """Base of everything that the operator raises on purpose."""


class UsageError(OperatorError):
    """The person who started the operator can mend it; the message says how."""


class KubeError(OperatorError):
    """An answer of the API server that is not the one that was hoped for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Conflict(KubeError):  # noqa: N818  the API's own word
    """The object exists already, or is not the one that was meant (precondition)."""


class Refused(KubeError):  # noqa: N818  the API's own word
    """The server understood and said no: validation, admission, quota, rights."""


class Unreachable(KubeError):  # noqa: N818  the API's own word
    """The server did not answer or asks for patience."""
