"""The one error of this package.

LocalClusterError: something that the user can fix; its text says what happened and what to do.
Any other exception is a bug and is not caught.
"""


class LocalClusterError(Exception):
    """Tell what is missing or failed, and how to fix it."""
