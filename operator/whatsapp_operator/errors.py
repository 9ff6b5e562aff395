"""Define the errors of the operator beside those of the API server (``whatsapp_kube.errors``)."""


class OperatorError(Exception):
    """Base of all errors that the operator raises."""


class LeadershipLost(OperatorError):  # noqa: N818  the field's own word
    """Another operator leads: this one must stop, and may stand by."""

    def __init__(self) -> None:
        super().__init__("another operator leads")


class UsageError(OperatorError):
    """An invalid command line or kubeconfig; the message says how to fix it."""
