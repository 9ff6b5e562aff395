"""Say which release this is."""

import importlib.metadata

DISTRIBUTION = "whatsapp-session-operator"


def version() -> str:
    """Return the version of the installed distribution, "unknown" for a source tree that is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
