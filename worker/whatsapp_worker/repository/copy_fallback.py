"""Restore the copy for the JavaScript stores when no generation's own archive can be restored. Calls block.

The copy is used only if its bytes are those of a generation of the present login, as that generation's record in the
log says. So a copy from before a logout, of another account or of another program is never restored.
"""

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import Set as AbstractSet

from whatsapp_worker import errors
from whatsapp_worker.profile import archive, layout
from whatsapp_worker.repository import generations, records, wwebjs_copy


def find(
    copy: wwebjs_copy.WwebjsCopy, kept: generations.Generations, target: pathlib.Path, tried: AbstractSet[int]
) -> records.Record | None:
    """Extract the copy into the new folder ``target``; returns the record of the generation that it holds.

    None, without a ``target``, when there is no copy, or it is none of the login's generations but those ``tried``.
    Raises DiskFull or StoreUnavailable.
    """
    living: dict[tuple[str, int], records.Record] = {}
    for record in kept.living():
        living.setdefault(record.generation.plain, record)
    if all(record.generation.number in tried for record in living.values()) or copy.describe() is None:
        return None
    folder, longest = target.parent, max(size for _, size in living)
    with archive.room_in(folder), tempfile.NamedTemporaryFile(dir=folder, prefix=f".{target.name}.") as download:
        digest = archive.Digest()
        with contextlib.suppress(errors.NotFound):
            for chunk in digest.through(copy.read()):
                download.write(chunk)
                if digest.size > longest:
                    return None
        download.flush()
        held = living.get((digest.hex, digest.size))
        if held is None or held.generation.number in tried:
            return None
        try:
            imported = held.generation.trigger == generations.IMPORT
            archive.extract(pathlib.Path(download.name), target, foreign=imported)
            with archive.damage_told():
                layout.check(target)
        except errors.ArchiveDamaged:
            shutil.rmtree(target, ignore_errors=True)
            return None
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
    return held
