"""Copy a session from one store to another: its archives byte for byte, its generations as records of the new log.

First all archives, then the records, oldest first: until the last one stands, the target is claimed and not released,
so no worker starts on a part. Repeating it goes on where it broke off and, once done, writes nothing. The source keeps
what it has. Calls block.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from whatsapp_worker import errors, stores
from whatsapp_worker.profile import archive
from whatsapp_worker.repository import claim, fencing, log, records

_FAR = 1000
"""Slots that are looked through: days of saves. What is kept further back is looked for by its number."""


@dataclass(frozen=True, slots=True)
class Side:
    """A store and the session's log in it."""

    store: stores.Backend
    journal: log.SessionLog


@dataclass(frozen=True, slots=True)
class How:
    """What a person allows, how to sleep, and whom to tell what has been done."""

    known: fencing.ClaimEvidence
    wait: Callable[[float], None]
    tell: Callable[[str], None]
    if_any: bool = False
    """Whether a source that holds no login is no fault."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What the target lacks: live generations, newest first, and the word that its own are dead.

    ``line`` is the newest of a dead history, whose number nobody may use again.
    """

    generations: tuple[records.Generation, ...] = ()
    ended: records.Logout | records.Purge | None = None
    line: records.Generation | None = None

    def __bool__(self) -> bool:
        return bool(self.generations) or self.ended is not None


def copy(source: Side, target: Side, how: How) -> int:
    """Bring the target up to the source; returns how many generations were new to it.

    A logout or purge that the target has not heard of goes with them. Raises SessionInUse where another owner has not
    released, ArchiveMissing if the source holds no whole archive, StoreRefused if the target has a history of its own
    or one of them keeps no log.
    """
    for side in (source, target):
        if not stores.capabilities(side.store).keeps_history:
            raise errors.StoreRefused(
                f"the store {side.store!r} keeps one archive and no log, so it cannot be the source or target of a copy"
            )
        side.journal.newest()
    if not _missing(source, target, how):
        for side in (source, target):
            _give_back(side, how)
        return 0
    # Before anything is written: a target that is in use would leave a claim and a release behind at each attempt.
    fencing.must_wait(target.journal.previous(), target.journal.owner, how.known)
    claim.claim_for_maintenance(source.journal, source.store, how.known, how.wait)
    with _released(source):
        claim.claim_for_maintenance(target.journal, target.store, how.known, how.wait)
        missing = _missing(source, target, how)
        made = [each for each in missing.generations if _archive(source, target, each, how)]
        # An older one in the target is what a restore would fall back to, unless its link has ended since.
        if missing.generations and not made and (missing.ended is not None or not _restorable(target)):
            raise errors.ArchiveMissing(f"no archive of {source.journal.session} in the source is intact")
        for word in (missing.line, missing.ended):
            if word is not None:
                target.journal.append(word)
        for generation in reversed(made):
            target.journal.append(generation)
        claim.release(target.journal)
    return len(made)


@contextlib.contextmanager
def _released(side: Side) -> Iterator[None]:
    """Release the source in any case: nothing in it has changed."""
    try:
        yield
    finally:
        claim.release(side.journal)


def _give_back(side: Side, how: How) -> None:
    """Release what this session left claimed: a copy that was killed at its very end, a worker that was killed.

    Who comes next may know the other store only, so what is owed to that worker is waited for here.
    """
    head = next(side.journal.back(side.journal.head), None)
    if head is None or not head.owner.same_session(side.journal.owner):
        return
    if not isinstance(head.body, records.Release) or fencing.inherited_wait(head):
        claim.claim_for_maintenance(side.journal, side.store, how.known, how.wait)
        claim.release(side.journal)


def _missing(source: Side, target: Side, how: How) -> Missing:
    """Compare the logs from the newest record down."""
    session, usable = source.journal.session, _restorable(target)
    last = target.journal.newest_of(records.Generation)
    newest = None if last is None else last.generation
    seen = _walk(source, newest)
    if newest is not None and seen.common and usable:
        return Missing(tuple(each for each in seen.alive if each.number > newest.number), seen.ended)
    if not seen.alive:
        if seen.common and seen.ended is not None:
            return Missing()  # both know that nothing is alive
        if how.if_any:
            # The numbers go on where they were, so that the way back stays open.
            return Missing((), seen.ended, seen.dead) if last is None and seen.dead else Missing()
        raise errors.ArchiveMissing(f"the source holds no archive of {session}; check that it is the right store")
    # What both know is of use again where the target's is gone, such as by a purge.
    if last is not None and newest is not None and not seen.common:
        mine = last.owner.same_session(target.journal.owner)
        if seen.alive[-1].number <= newest.number or (usable and not mine):
            raise _foreign_history(target, newest.number)
    return Missing(seen.alive, seen.ended if usable else None)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the source's log says."""

    alive: tuple[records.Generation, ...]
    """Not ended, and stored; newest first."""
    ended: records.Logout | records.Purge | None
    """The newest word that ended what was before, if the target has not heard of it."""
    dead: records.Generation | None
    """The newest generation before any such word."""
    common: bool
    """Whether the target's newest generation is among what was looked at."""


def _walk(source: Side, newest: records.Generation | None) -> _Seen:
    """Look at the newest slots, down to the oldest archive and the target's newest generation.

    Not for ever, but for what the target knows: what ended its link may stand anywhere above.
    """
    stored = {entry.name for entry in source.store.list(f"{source.journal.session}/archives/")}
    numbers = [number for name in stored if (number := log.number_of(name)) is not None]
    bottom = min([*numbers, *([] if newest is None else [newest.number])], default=0)
    common = newest is not None and any(_same(each, newest) for each in source.journal.find_generations(newest.number))
    alive: list[records.Generation] = []
    ended: records.Logout | records.Purge | None = None
    unheard, dead, reached = ended, None, False
    for looked, record in enumerate(source.journal.back(source.journal.head)):
        if looked >= _FAR and (reached or not common):
            break
        match record.body:
            case records.Generation() as each:
                reached = reached or (newest is not None and _same(each, newest))
                if ended is not None:
                    dead = dead or each
                elif each.archive in stored:
                    alive.append(each)
                if each.number <= bottom:
                    break
            case records.Logout() | records.Purge() as word:
                ended = ended or word
                unheard = unheard if reached else ended
            case _:
                pass
    return _Seen((*alive, *_proven_before(source, alive, stored)), unheard, dead, common)


def _same(one: records.Generation, other: records.Generation) -> bool:
    return (one.archive, one.digest) == (other.archive, other.digest)


def _proven_before(source: Side, alive: list[records.Generation], stored: set[str]) -> list[records.Generation]:
    """Return the newest proven generation if it lies further back: its proof says that no link has ended since."""
    proven = max((each.proven for each in alive), default=0)
    if not proven or proven >= alive[-1].number:
        return []
    return [each for each in source.journal.find_generations(proven) if each.archive in stored]


def _restorable(side: Side) -> bool:
    """Tell whether a worker would restore something from there."""
    return isinstance(side.journal.outcome(), records.Generation)


def _foreign_history(target: Side, number: int) -> errors.StoreRefused:
    return errors.StoreRefused(
        f"the target has saves of {target.journal.session} that the source does not know, up to generation {number}, "
        "and two histories cannot be merged. Copy in the other direction, or into a store without this session"
    )


def _archive(source: Side, target: Side, generation: records.Generation, how: How) -> bool:
    """Copy one archive and tell; False when the source's is not what was saved."""
    about = f"generation {generation.number} ({generation.size / 1e6:.1f} MB)"
    try:
        done = _put(source, target, generation)
    except (errors.ArchiveDamaged, errors.NotFound) as error:
        how.tell(f"{about}: left out, {error}")
        return False
    how.tell(f"{about}: {done}")
    return True


def _put(source: Side, target: Side, generation: records.Generation) -> str:
    """Create the archive in the target, or replace an incomplete one; returns what was done."""
    name = generation.archive
    try:
        target.store.create(name, _verified(source.store, generation))
    except errors.AlreadyExists:
        if _whole(target.store, generation):
            return "was there"
    else:
        return "copied"
    # Under our claim only: nobody else writes there now, so what is not whole will not become so.
    if not target.journal.still_head():
        raise errors.Superseded(f"another owner claimed {target.journal.session} in the target in the meantime")
    target.store.delete(name)
    target.store.create(name, _verified(source.store, generation))
    return "copied again, because the target's copy was damaged"


def _whole(store: stores.Store, generation: records.Generation) -> bool:
    try:
        for _ in _verified(store, generation):
            pass
    except (errors.ArchiveDamaged, errors.NotFound):
        return False
    return True


def _verified(store: stores.Store, generation: records.Generation) -> Iterator[bytes]:
    """Yield an archive; raises ArchiveDamaged behind its last chunk, before a create can end, if it is another's."""
    digest = archive.Digest()
    yield from digest.through(store.read(generation.archive))
    if (digest.hex, digest.size) != (generation.digest, generation.size):
        raise errors.ArchiveDamaged(f"the archive of generation {generation.number} is not what was saved")
