"""Make a generation of an archive that another program wrote: a JavaScript store's ``<session>.zip``. Calls block.

By itself only while we have no generation; else a person asks for it (``whatsapp-worker store import``). The bytes are
kept as they are: a foreign archive says neither whose it is nor which browser wrote it, so the original stays among the
generations until a restore has proven it, and ours stay the fallback.
"""

import contextlib
import logging
import pathlib
import shutil
import tempfile

from whatsapp_worker import errors, stores
from whatsapp_worker.profile import archive, layout
from whatsapp_worker.repository import generations, log, records, wwebjs_copy

LOG = logging.getLogger("whatsapp_worker")
LIMIT = 8 << 30
"""Bytes: an archive that says it is larger is not downloaded."""
LOGS_LIMIT = 32 << 20
"""Bytes of all logs and manifests: Chromium begins new ones after a few megabytes; these take half a minute to read."""


def describe(session: str, found: stores.Copy) -> str:
    """Say that a foreign archive is there, and what a person can do."""
    return (
        f"another program wrote {session}.zip ({found.size / 1e6:.1f} MB, {log.stamp(found.modified)}); "
        "the worker does not overwrite it. Stop that program, then restore its archive with `whatsapp-worker store "
        "import`, or remove it with `whatsapp-worker store import --discard`"
    )


def tidy(folder: pathlib.Path, session: str) -> None:
    """Remove what a killed predecessor's import left; the caller holds the session's folder."""
    for rubble in folder.glob(f"{_prefix(session)}*"):
        shutil.rmtree(rubble, ignore_errors=True)


def _prefix(session: str) -> str:
    return f".{session}.import-"


def import_archive(
    found: stores.Copy,
    copy: wwebjs_copy.WwebjsCopy,
    kept: generations.Generations,
    folder: pathlib.Path,
    session: str = "",
) -> records.Record:
    """Download beside ``folder``'s other files, check as a restore does, publish.

    With encryption the plain original goes then. Raises ArchiveDamaged when it holds no whole login, DiskFull,
    Superseded, or StoreUnavailable.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=_prefix(session)) as name:
        original, profile = pathlib.Path(name, "original.zip"), pathlib.Path(name, "profile")
        try:
            with archive.room_in(folder):
                _download(found, copy, original)
                archive.extract(original, profile, foreign=True)
            with archive.damage_told():
                _check_logs(profile)
                layout.check(profile)
                digest = layout.ContentDigest().of(profile)
        finally:
            shutil.rmtree(profile, ignore_errors=True)
        published = kept.adopt(original, digest, log.stamp(found.modified))
    copy.adopted(found, published.generation)
    if published.generation.key_id:  # no login lies in plain beside the encrypted ones
        with contextlib.suppress(errors.StoreError):  # the next start takes it away
            copy.drop()
    return published


def _check_logs(profile: pathlib.Path) -> None:
    found = [
        path for folder in layout.databases(profile) for path in (*layout.logs(folder), *folder.glob("MANIFEST-*"))
    ]
    if sum(path.stat().st_size for path in found) > LOGS_LIMIT:
        raise errors.ArchiveDamaged("its LevelDB logs are longer than any that Chromium writes")


def _download(found: stores.Copy, copy: wwebjs_copy.WwebjsCopy, target: pathlib.Path) -> None:
    size = 0
    if found.size > LIMIT:
        raise errors.ArchiveDamaged("the archive is longer than 8 GiB")
    with target.open("xb") as stream:
        for chunk in copy.read():
            size += len(chunk)
            if size > (found.size or LIMIT):
                break
            stream.write(chunk)
    if not found.size and size > LIMIT:  # 0: a store that cannot tell
        raise errors.ArchiveDamaged("the archive is longer than 8 GiB")
    if found.size and size != found.size:
        again = copy.foreign()
        if again is not None and again.version == found.version:
            raise errors.ArchiveDamaged("the store holds another archive than it reports")
        raise errors.StoreUnavailable("the archive changed while the worker read it, or the store ended the transfer")


def on_request(
    copy: wwebjs_copy.WwebjsCopy, kept: generations.Generations, folder: pathlib.Path, *, discard: bool
) -> str:
    """Import the foreign archive, or remove it; the session must be claimed. Returns a sentence for a person."""
    found = copy.foreign()
    if found is None:
        raise errors.StoreRefused("there is no archive of another program, or it was imported before")
    about = f"the archive of another program ({found.size / 1e6:.1f} MB, {log.stamp(found.modified)})"
    if discard:
        copy.remove(found)
        return f"{about} was removed"
    try:
        published = import_archive(found, copy, kept, folder)
    except errors.ArchiveDamaged as error:
        raise errors.StoreRefused(f"{about} holds no login that can be restored: {error}") from error
    return f"{about} is generation {published.generation.number}: the next start restores it"


class ForeignArchiveImporter:
    """What stands in the copy's place at the start of a run."""

    def __init__(self, copy: wwebjs_copy.WwebjsCopy, kept: generations.Generations, journal: log.SessionLog) -> None:
        self._copy = copy
        self._kept = kept
        self._log = journal

    def look(self, folder: pathlib.Path) -> str:
        """Import a foreign archive if there is no generation; returns what a person should know, "" if nothing.

        Safe to repeat after StoreUnavailable and DiskFull.
        """
        found = self._copy.foreign()
        if found is None:
            return ""
        if self._kept.next_candidate(self._log.head + 1) is not None:
            return describe(self._log.session, found)
        try:
            published = import_archive(found, self._copy, self._kept, folder, self._log.session)
        except errors.ArchiveDamaged as error:
            self._copy.refuse(found)
            return f"another program's {self._log.session}.zip holds no login that can be restored: {error}"
        LOG.info("imported generation=%s bytes=%s", published.generation.number, found.size)
        return ""
