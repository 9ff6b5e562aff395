"""Remove archives: what retention does not keep, and what crashed writers left; never one that is still needed.

Only archives go, slots of the log never. Calls block.
"""

from whatsapp_worker import errors, log, records, stores


class Pruner:
    """Retention of one session's archives; ``keep`` of the newest, and the newest that a restore has proven."""

    def __init__(self, store: stores.Store, journal: log.SessionLog, keep: int) -> None:
        self._store = store
        self._log = journal
        self._keep = keep
        self._prefix = f"{journal.session}/archives/"
        self._stored: list[records.Generation] | None = None
        """Generations whose archives are in the store, newest first; None until they are looked for."""
        self.orphans: set[str] = set()
        """Archives of this process that no record names yet."""

    def forget(self) -> None:
        """Look into the store again at the next `after`: a record of ours has landed unseen."""
        self._stored = None

    def after(self, newest: records.Generation) -> None:
        """Drop what is not kept now that ``newest`` stands in the log.

        Only archives of this account, and imported ones, whose account nobody knew: another's stay apart until a person
        removes them.
        """
        stored = self._stored if self._stored is not None else self._find_stored()
        stored = [newest, *(generation for generation in stored if generation.number != newest.number)]
        mine = [generation for generation in stored if generation.account_hash in (newest.account_hash, "")]
        proven = max(generation.proven for generation in mine)
        dropped = [generation for generation in mine[self._keep :] if generation.number != proven]
        for generation in dropped:
            self._store.delete(generation.archive)
        self._stored = [generation for generation in stored if generation not in dropped]
        for name in self.orphans - {generation.archive for generation in self._stored}:
            self._store.delete(name)
        self.orphans.clear()

    def _find_stored(self) -> list[records.Generation]:
        """Return the generations whose archives are in the store, newest first, back to the newest logout or purge.

        Reads the log only as far as there are archives: a log of years is long, its archives are few.
        """
        wanted = {entry.name: log.number_of(entry.name) for entry in self._store.list(self._prefix)}
        oldest = min((number for number in wanted.values() if number is not None), default=0)
        found: list[records.Generation] = []
        for record in self._log.back(self._log.head):
            match record.body:
                case records.Generation() as generation if generation.number >= oldest > 0:
                    found += [generation] if generation.archive in wanted else []
                case records.Generation() | records.Logout() | records.Purge():
                    break
                case _:
                    pass
        return found

    def sweep(self) -> None:
        """Remove what killed predecessors left: archives without a record, and uploads that never ended.

        Call when the claim is made, before anything is created: whoever still uploads is fenced by the claim. What is
        removed was listed before the claim is seen to be the head, so it is no later owner's.
        """
        listed = [(entry.name, log.number_of(entry.name)) for entry in self._store.list(self._prefix)]
        dead = [name for name, number in listed if number is not None and not self._recorded(name, number)]
        if not self._log.still_head():
            raise errors.Superseded("a later claim followed at once")
        for name in dead:
            self._store.delete(name)
        if isinstance(self._store, stores.Sweeps):
            self._store.sweep(f"{self._log.session}/")

    def _recorded(self, name: str, number: int) -> bool:
        found = self._log.find_generation(number)
        return found is not None and found.archive == name
