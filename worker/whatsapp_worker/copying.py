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


@dataclass(frozen=True, slots=True)
class How:
    """What a person allows, how to sleep, and whom to tell what has been done."""

    known: ownership.Knowledge
    wait: Callable[[float], None]
    tell: Callable[[str], None]
    if_any: bool = False
    """Whether a source that holds no login is no fault."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What the target lacks: live generations, newest first, and the word that its own are dead."""

    generations: tuple[records.Generation, ...] = ()
    ended: records.Logout | records.Purge | None = None

    def __bool__(self) -> bool:
        return bool(self.generations) or self.ended is not None


def copy(source: Side, target: Side, how: How) -> int:
    """Bring the target up to the source; returns how many generations were new to it.

    A logout or purge that the target has not heard of goes with them. Raises SessionInUse where another owner has not
    released, ArchiveMissing if the source holds no whole archive, StoreRefused if the target has a history of its own.
    """
    source.journal.newest()
    target.journal.newest()
    if not _missing(source, target, how):
        for side in (source, target):
            _give_back(side, how)
        return 0
    tenure.claim(source.store, source.journal, how.known, how.wait)
    with _released(source):
        tenure.claim(target.store, target.journal, how.known, how.wait)
        missing = _missing(source, target, how)
        made = [each for each in missing.generations if _archive(source, target, each, how)]
        if missing.generations and not made:
            raise errors.ArchiveMissing(f"no archive of {source.journal.session} in the source is whole")
        if missing.ended is not None:
            target.journal.append(missing.ended)
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


def _give_back(side: Side, how: How) -> None:
    """Release what this session left claimed: a copy that was killed at its very end, a worker that was killed.

    Who comes next may know the other store only, so what is owed to that worker is waited for here.
    """
    head = next(side.journal.back(side.journal.head), None)
    if head and not isinstance(head.body, records.Release) and head.owner.same_session(side.journal.owner):
        tenure.claim(side.store, side.journal, how.known, how.wait)
        tenure.release(side.journal)


def _missing(source: Side, target: Side, how: How) -> Missing:
    """Compare the logs from the newest record down to the one that both know."""
    session = source.journal.session
    stored = {entry.name for entry in source.store.list(f"{session}/archives/")}
    last = target.journal.last_generation()
    found: list[records.Generation] = []
    ended: records.Logout | records.Purge | None = None
    for record in source.journal.back(source.journal.head):
        match record.body:
            case records.Generation() as generation:
                if last is not None and (generation.archive, generation.digest) == (last.archive, last.digest):
                    return Missing(tuple(found), ended if _restorable(target) else None)
                if ended is None and generation.archive in stored:
                    found.append(generation)
            case records.Logout() | records.Purge() as word:
                ended = ended or word
            case _:
                pass
    if not found:
        if how.if_any:
            return Missing()
        raise errors.ArchiveMissing(f"the source holds no archive of {session}: is it the right store?")
    if last is not None and (_restorable(target) or found[-1].number <= last.number):
        raise _foreign_history(target, last.number)
    return Missing(tuple(found))


def _restorable(side: Side) -> bool:
    """Tell whether a worker would restore something from there."""
    for record in side.journal.back(side.journal.head):
        match record.body:
            case records.Generation():
                return True
            case records.Logout() | records.Purge():
                return False
            case _:
                pass
    return False


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
