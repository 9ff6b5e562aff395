"""A session in a store in memory, whose profile is published as archives."""

import pathlib

from scenes.worker import profile_maker
from whatsapp_worker.profile import encryption, snapshot
from whatsapp_worker.repository import generations, log, records
from whatsapp_worker.stores import memory

KEY = encryption.Key(bytes(range(32)))
OWNER = records.Owner(host="h", data_path="/d")


class Place:
    """A store, the session's log in it, and the profile that is published."""

    def __init__(self, root: pathlib.Path, keep: int = 2, keys: encryption.Keys | None = None) -> None:
        self.store = memory.MemoryStore()
        self.root = profile_maker.profile(root / "profile")
        self.journal = log.SessionLog(self.store, "RemoteAuth", OWNER)
        self.keep = keep
        self.use(keys)
        self.journal.append(records.Claim(60))

    def use(self, keys: encryption.Keys | None) -> None:
        """Go on as a new process would, with these keys."""
        self.kept = generations.Generations(self.store, self.journal, self.keep, keys)

    def publish(self, proven: int = 0, account: str = "hash") -> records.Record:
        with snapshot.Staging(self.root, profile_maker.ORIGIN).closed(None) as staged:
            return self.kept.publish(staged, account, "Interval", "156.0", proven)

    def archives(self) -> list[int]:
        return [int(entry.name.split("/")[-1].split("-")[0]) for entry in self.store.list("RemoteAuth/archives/")]
