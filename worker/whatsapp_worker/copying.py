"""Copy a session from one store to another: its archives byte for byte, its generations as records of the new log.

First all archives, then the records, oldest first: until the last one stands, the target is claimed and not released,
so no worker starts on a part. Repeating it goes on where it broke off and, once done, writes nothing. The source keeps
what it has. Calls block.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from whatsapp_worker import archive, errors, log, ownership, records, stores, tenure


@dataclass(frozen=True, slots=True)
class Side:
    """A store and the session's log in it."""

    store: stores.Backend
    journal: log.SessionLog

    def generations(self) -> Iterator[records.Generation]:
        """Yield the generations that may be restored, newest first: down to the newest logout or purge."""
        for record in self.journal.back(self.journal.head):
            match record.body:
                case records.Generation() as generation:
                    yield generation
                case records.Logout() | records.Purge():
                    return
                case _:
                    pass


@dataclass(frozen=True, slots=True)
class How:
    """What a person allows, how to sleep, and whom to tell what has been done."""

    known: ownership.Knowledge
    wait: Callable[[float], None]
    tell: Callable[[str], None]


def copy(source: Side, target: Side, how: How) -> int:
    """Bring the target up to the source; returns how many generations were new to it.

    Raises SessionInUse where another owner has not released, ArchiveMissing if the source holds no whole archive,
    StoreRefused if the target has a history of its own.
    """
    source.journal.newest()
    target.journal.newest()
    if not _wanted(source, target):
        for side in (source, target):
            _give_back(side)
        return 0
    tenure.claim(source.store, source.journal, how.known, how.wait)
    with _released(source):
        tenure.claim(target.store, target.journal, how.known, how.wait)
        made = [generation for generation in _wanted(source, target) if _archive(source, target, generation, how)]
        if not made:
            raise errors.ArchiveMissing(f"no archive of {source.journal.session} in the source is whole")
        for generation in reversed(made):
            target.journal.append(generation)
        tenure.release(target.journal)
    return len(made)


@contextlib.contextmanager
def _released(side: Side) -> Iterator[None]:
    """Release the source in any case: nothing in it has changed."""
    try:
        yield
    finally:
        tenure.release(side.journal)


def _give_back(side: Side) -> None:
    """Release what a copy that was killed at its very end left claimed."""
    head = next(side.journal.back(side.journal.head), None)
    if head and not isinstance(head.body, records.Release) and head.owner.same_session(side.journal.owner):
        tenure.release(side.journal)


def _wanted(source: Side, target: Side) -> list[records.Generation]:
    """Return what the source can give and the target lacks, newest first."""
    session = source.journal.session
    stored = {entry.name for entry in source.store.list(f"{session}/archives/")}
    given = [generation for generation in source.generations() if generation.archive in stored]
    if not given:
        raise errors.ArchiveMissing(f"the source holds no archive of {session}: is it the right store?")
    newest = next(target.generations(), None)
    if newest is None:
        if given[-1].number <= target.journal.last_number():
            raise _foreign_history(target, target.journal.last_number())
        return given
    if not any(
        (generation.archive, generation.digest) == (newest.archive, newest.digest)
        for generation in source.generations()
    ):
        raise _foreign_history(target, newest.number)
    return [generation for generation in given if generation.number > newest.number]


def _foreign_history(target: Side, number: int) -> errors.StoreRefused:
    return errors.StoreRefused(
        f"the target has saved {target.journal.session} by itself, up to generation {number}, which the source does "
        "not know: two histories cannot be joined. Copy the other way, or into a store without this session"
    )


def _archive(source: Side, target: Side, generation: records.Generation, how: How) -> bool:
    """Copy one archive and tell; False when the source's is not what was saved."""
    about = f"generation {generation.number} ({generation.size / 1e6:.1f} MB)"
    try:
        target.store.create(generation.archive, _verified(source.store, generation))
    except (errors.ArchiveDamaged, errors.NotFound) as error:
        how.tell(f"{about}: left out, {error}")
        return False
    except errors.AlreadyExists:
        for _ in _verified(target.store, generation):
            pass
        how.tell(f"{about}: was there")
        return True
    how.tell(f"{about}: copied")
    return True


def _verified(store: stores.Store, generation: records.Generation) -> Iterator[bytes]:
    """Yield an archive; raises ArchiveDamaged behind its last chunk, before a create can end, if it is another's."""
    digest = archive.Digest()
    yield from digest.through(store.read(generation.archive))
    if (digest.hex, digest.size) != (generation.digest, generation.size):
        raise errors.ArchiveDamaged(f"the archive of generation {generation.number} is not what was saved")
