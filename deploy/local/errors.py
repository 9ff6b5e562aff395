"""The one error of this package.

LocalClusterError: something that a person can mend; its text is one sentence that says how.
Anything else that escapes is a fault of ours and crashes loudly.
"""


class LocalClusterError(Exception):
    """Say in one sentence what is missing or failed, and how to mend it."""
