"""A session of three generations, and a store that it is copied to."""

import dataclasses
import pathlib

from scenes.worker.archives import Place
from whatsapp_worker.profile import encryption
from whatsapp_worker.repository import fencing, generations, log, records, transfer
from whatsapp_worker.stores import memory

SESSION = "RemoteAuth"
COPIER = records.Owner(host="desk", boot_id="b", pid=7, data_path="/home")
POD = records.Owner(cluster="c", namespace="n", session_uid="s", pod_uid="p", host="wa-x")


class Scene:
    """A source with a session of three generations, of which two are kept, released; an empty target."""

    def __init__(self, root: pathlib.Path, keys: encryption.Keys | None = None) -> None:
        self.place = Place(root, keys=keys)
        for _ in range(3):
            self.place.publish()
        self.place.journal.append(records.Release())
        self.target = memory.MemoryStore()
        self.told: list[str] = []
        self.waited: list[float] = []
        self.copier = COPIER

    def copy(
        self,
        source: memory.MemoryStore | None = None,
        target: memory.MemoryStore | None = None,
        *,
        over: bool = False,
        if_any: bool = False,
    ) -> int:
        how = transfer.How(fencing.ClaimEvidence(take_over=over), self.waited.append, self.told.append, if_any)
        one, other = source or self.place.store, target or self.target
        return transfer.copy(side(one, self.copier), side(other, self.copier), how)

    def go_on(self, store: memory.MemoryStore, saves: int = 1) -> memory.MemoryStore:
        """Let the session's worker run on another store and save there; returns the store where it was."""
        home = self.place.store
        self.place.store, self.place.journal = store, log.SessionLog(store, SESSION, POD)
        self.place.journal.newest()
        self.place.journal.append(records.Claim(60))
        self.place.use(None)
        for _ in range(saves):
            self.place.publish()
        self.place.journal.append(records.Release())
        return home

    def restorable(self, store: memory.MemoryStore) -> list[int]:
        journal = log.SessionLog(store, SESSION, POD)
        journal.newest()
        kept = generations.Generations(store, journal, 3)
        found, below = [], journal.head + 1
        while (candidate := kept.next_candidate(below)) is not None:
            found.append(candidate.generation.number)
            below = candidate.slot
        return found


def side(store: memory.MemoryStore, copier: records.Owner = COPIER) -> transfer.Side:
    return transfer.Side(store, log.SessionLog(store, SESSION, copier))


def kinds(store: memory.MemoryStore) -> list[str]:
    journal = log.SessionLog(store, SESSION, POD)
    journal.newest()
    return [type(record.body).__name__ for record in journal.back(journal.head)][::-1]


def harm(scene: Scene, number: int) -> None:
    name = next(name for name in scene.place.store.contents if f"/archives/{number:08d}-" in name)
    scene.place.store.contents[name] = scene.place.store.contents[name][:-1] + b"x"


def counted_reads(store: memory.MemoryStore) -> list[str]:
    """Return a list that grows by each slot of a log that is read from now on."""
    reads: list[str] = []

    def count(verb: str, name: str) -> None:
        if verb == "read" and "/log/" in name:
            reads.append(name)

    store.fail = count
    return reads


def pass_by(store: memory.MemoryStore, slots: int = transfer._FAR, *words: records.Body) -> None:
    """Let a session's worker write so many slots, whose archives have gone since, and these words before them."""
    journal = log.SessionLog(store, SESSION, POD)
    journal.newest()
    last = journal.last_generation()
    assert last is not None
    for word in words:
        journal.append(word)
    for number in range(last.number + 1, last.number + 1 + slots):
        proven = 0 if words else last.proven
        journal.append(dataclasses.replace(last, number=number, archive=f"gone-{number}", proven=proven))
    journal.append(records.Release())
