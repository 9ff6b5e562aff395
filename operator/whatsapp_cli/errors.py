"""Define the errors of the command.

CliError            one sentence on standard error, with the exit code below
├── UsageError      2   the command line or the kubeconfig is invalid
├── NotFoundError   1   the session does not exist, or the CRDs are not installed
├── NotACodeError   1   the code in the status cannot be drawn
└── ClusterError    1   the API server cannot be reached or refuses the request
    └── SilentError 1   the API server does not answer; a retry may succeed
"""


class CliError(Exception):
    """A sentence for the user; ``exit_code`` is the exit code of the process."""

    exit_code = 1


class UsageError(CliError):
    """The command line or the kubeconfig is invalid."""

    exit_code = 2


class NotFoundError(CliError):
    """The session or its CRD does not exist."""


class NotACodeError(CliError):
    """The code in the status cannot be a QR code of WhatsApp."""


class ClusterError(CliError):
    """The API server cannot be reached or refuses the request."""


class SilentError(ClusterError):
    """The API server does not answer or asks to retry; a retry may succeed."""
