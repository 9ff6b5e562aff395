"""Turn what a part of the worker could not cope with into what the machine hears."""

import logging

from whatsapp_session.conditions import ExitCode, Reason
from whatsapp_worker import errors
from whatsapp_worker.core import events

LOG = logging.getLogger("whatsapp_worker")
_FOR_GOOD: tuple[tuple[type[errors.WorkerError], ExitCode, Reason], ...] = (
    (errors.Superseded, ExitCode.DONE, Reason.SUPERSEDED),
    (errors.SessionInUse, ExitCode.STORE_REFUSED, Reason.STORE_SESSION_IN_USE),
    (errors.BrowserTooOld, ExitCode.STORE_REFUSED, Reason.BROWSER_TOO_OLD),
    (errors.ArchiveMissing, ExitCode.STORE_REFUSED, Reason.ARCHIVE_MISSING),
    (errors.StoreUnfenced, ExitCode.STORE_REFUSED, Reason.STORE_UNFENCED),
    (errors.StoreRefused, ExitCode.STORE_REFUSED, Reason.RESTORE_FAILED),
    (errors.DiskFull, ExitCode.CRASHED, Reason.RESTORE_FAILED),
    (errors.ConfigurationError, ExitCode.CONFIGURATION, Reason.INVALID_CONFIGURATION),
)
"""The first class that fits counts, so a class stands before its base."""


def as_event(error: Exception) -> events.Event:
    """Return the event that tells of an error; one that nobody foresaw ends the worker loudly."""
    for kind, code, reason in _FOR_GOOD:
        if isinstance(error, kind):
            return events.Fatal(code, reason, str(error))
    if isinstance(error, errors.BrowserError):
        return events.BrowserGone(Reason.BROWSER_CRASHED, str(error))
    if isinstance(error, errors.StoreError):
        return events.RetryingAfter(Reason.STORE_UNAVAILABLE, str(error))
    LOG.error("the worker failed", exc_info=error)
    return events.Fatal(ExitCode.CRASHED, Reason.CRASH_LOOP, f"unexpected {type(error).__name__}")
