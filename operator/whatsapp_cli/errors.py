"""Name what can go wrong for a person at the terminal.

CliError            one sentence on standard error; exit code below
├── UsageError      2   the command line or the kubeconfig is wrong
├── NotFoundError   1   no such session, or the operator's CRDs are not installed
├── NotACodeError   1   what the status calls a code cannot be drawn
└── ClusterError    1   the cluster cannot be reached, or refuses
    └── SilentError 1   ... but may answer in a moment
"""


class CliError(Exception):
    """A sentence for the person; ``exit_code`` is the process' exit code."""

    exit_code = 1


class UsageError(CliError):
    """The command line or the kubeconfig is wrong."""

    exit_code = 2


class NotFoundError(CliError):
    """There is no such session, or no such kind."""


class NotACodeError(CliError):
    """What the status calls a code is none that a phone could scan."""


class ClusterError(CliError):
    """The API server cannot be reached or refuses."""


class SilentError(ClusterError):
    """The API server does not answer, or asks for patience: asking again may help."""
