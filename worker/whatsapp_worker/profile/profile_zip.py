"""Find the login in a zip of a whole profile, as users make one of LocalAuth's ``session-<clientId>``."""

import zipfile

from whatsapp_worker import errors
from whatsapp_worker.profile import layout

_ARCHIVED = tuple(f"/{part.as_posix()}/" for part in layout.ARCHIVED)
_BELONGS = (
    "zip the profile's folder (LocalAuth's session-<clientId>), which holds Default/IndexedDB and Default/Local Storage"
)


def select(entries: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Return the entries to extract, renamed to lie in ``Default/``.

    All of a zip that holds ``Default/`` only; of one whose profile lies deeper, or beside other folders, what the
    login is kept in. Raises ArchiveDamaged for a name that leaves the archive, no profile or more than one.
    """
    if all(entry.filename.partition("/")[0] == "Default" for entry in entries):
        return entries
    for entry in entries:
        parts = entry.filename.rstrip("/").split("/")
        if {"", ".", ".."} & set(parts) or "\\" in entry.filename or "\0" in entry.filename:
            raise errors.ArchiveDamaged("the archive holds a path outside of its folder")
    roots = {root for entry in entries if (root := _root(entry.filename)) is not None}
    if not roots:
        raise errors.ArchiveDamaged(f"the archive holds a path outside of Default/ and no profile; {_BELONGS}")
    if len(roots) > 1:
        raise errors.ArchiveDamaged(f"the archive holds {len(roots)} profiles; {_BELONGS}, of one session only")
    (root,) = roots
    taken = [entry for entry in entries if f"/{entry.filename}".startswith(tuple(root + part for part in _ARCHIVED))]
    for entry in taken:
        entry.filename = entry.filename[len(root) :]
    return taken


def _root(name: str) -> str | None:
    """Return the folder of the profile that a path lies in, with a slash before it, None for any other path."""
    found = min((at for part in _ARCHIVED if (at := f"/{name}".find(part)) >= 0), default=None)
    return None if found is None else f"/{name}"[:found]
