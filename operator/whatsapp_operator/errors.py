"""Define the errors of the operator beside those of the API server (``whatsapp_kube.errors``)."""


class OperatorError(Exception):
    """Base of everything that the operator raises on purpose."""


class UsageError(OperatorError):
    """The person who started the operator can mend it; the message says how."""
