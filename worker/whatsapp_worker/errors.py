# ruff: noqa: N818  names say what happened, as httpx's and the standard library's do; the root tells that they are errors
"""Raise what can go wrong in a worker.

WorkerError
|- ConfigurationError        the user can mend it in the settings (exit code 2)
|- SecretAbsent              a file of a mounted Secret is not there yet: ends with code 1, and is tried again
|- StoreError
|  |- StoreUnavailable       transient: retried with backoff
|  |  |- StoreDenied         denies access, is read-only, or is not where the settings say: retried seldom
|  |  |  |- SecretMissing    a file of its secret is not there (yet)
|  |  |- StoreFull           has no room
|  |  |- StoreChanged        is not the one in which this worker claimed the session: unmounted, emptied, replaced
|  |- NotFound               the store answered: there is no such name
|  |- AlreadyExists          an exclusive create lost
|  |- CopyChanged            the copy for the JavaScript stores is not the one that was to be replaced
|- StoreRefused              the store says no for good (exit code 3)
|  |- SessionInUse           another owner holds the session and has not released it
|  |- BrowserTooOld          the newest archive was written by a newer browser than ours
|  |- ArchiveMissing         the log names archives, and none of them is there
|  |- StoreUnfenced          the store cannot create exclusively, and nobody accepted that
|  |- KeyMissing             the archive is encrypted with a key that was not given
|  |- LogBroken              a slot is missing or is of a newer format
|- Superseded                somebody claimed the session after us: leave without saving
|  |- Released               we have given the session back: nothing follows our release
|- LeaseExpired              another pod may hold the Lease by now: tried again when it is renewed
|- DiskFull                  this machine has no room for an archive: tried again, and no reason for an older one
|- ArchiveDamaged            digest, structure or a database in it is not whole
|- SnapshotFailed            no snapshot that is known to hold the link could be taken
|- BrowserError              the browser did not start, died, or does not answer

The worker translates foreign exceptions into these at the seams only.
"""


class WorkerError(Exception):
    """Root of the tree; the message is one sentence for a person and holds no secret."""


class ConfigurationError(WorkerError):
    """A setting is wrong; the message names it and says how to mend it."""


class SecretAbsent(WorkerError):
    """A Secret of the session, or its key, does not exist; the worker restarts until it does."""


class StoreError(WorkerError):
    """A store did not do what was asked."""


class StoreUnavailable(StoreError):
    """The store did not answer, or not in a way that allows a conclusion; try again."""


class StoreDenied(StoreUnavailable):
    """The store refuses this worker; never a word about whether a session exists."""


class SecretMissing(StoreDenied):
    """A file with a credential is not there."""


class StoreFull(StoreUnavailable):
    """The store has no room for what was to be written."""


class StoreChanged(StoreUnavailable):
    """The store lacks what this worker has written: nothing is written there, and the session goes on."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the store no longer holds {name}, which this worker wrote: it was unmounted, emptied or replaced. The "
            "worker writes nothing there and goes on; bring the same store back"
        )


class NotFound(StoreError):
    """The store answered that the name does not exist."""


class AlreadyExists(StoreError):
    """The name was taken before; nothing was written."""


class CopyChanged(StoreError):
    """Somebody else wrote the copy for the JavaScript stores meanwhile; nothing was written."""


class StoreRefused(WorkerError):
    """The store's content forbids to go on until a person decides."""


class SessionInUse(StoreRefused):
    """The newest record is of another owner that has not released the session."""


class BrowserTooOld(StoreRefused):
    """A newer browser may write what an older one cannot read, and would "repair" by dropping data."""


class ArchiveMissing(StoreRefused):
    """Every archive that the log names is gone: a wrong bucket must not show a QR code."""


class StoreUnfenced(StoreRefused):
    """The store lets several writers win one name, so two browsers could not be kept apart."""


class KeyMissing(StoreRefused):
    """The archive is encrypted, and its key is not among those given: no reason to ask for a new link."""


class LogBroken(StoreRefused):
    """The session's log has a hole or a record that this version cannot read."""


class Superseded(WorkerError):
    """A later claim stands in the log; what this worker knows may not be published."""


class Released(Superseded):
    """This worker has released the session, so what it still wanted to write is too late."""


class LeaseExpired(WorkerError):
    """The Lease was not renewed in time; who claims now could start a second browser."""


class DiskFull(WorkerError):
    """The local disk has no room; nothing was put in place, nothing is said about the archive."""


class ArchiveDamaged(WorkerError):
    """An archive or a profile is not whole and must not be used."""


class SnapshotFailed(WorkerError):
    """No snapshot passed its checks; nothing was published."""


class BrowserError(WorkerError):
    """The browser could not be started or does not answer."""
