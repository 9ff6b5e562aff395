"""Define the errors of the operator beside those of the API server (``whatsapp_kube.errors``)."""


class OperatorError(Exception):
    """Base of all errors that the operator raises."""


class UsageError(OperatorError):
    """An invalid command line or kubeconfig; the message says how to fix it."""
