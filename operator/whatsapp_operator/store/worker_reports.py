"""Remember what workers say of their stores. In memory: after a restart it is learnt from what is seen."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from whatsapp_operator.observed.state import Say

K = TypeVar("K", bound=Hashable)
Gist = tuple[bool, str]


@dataclass(slots=True)
class Hearsay(Generic[K]):
    """What was said last of each store, by session."""

    _by_store: dict[K, dict[K, Say]] = field(default_factory=dict)
    _store_of: dict[K, K] = field(default_factory=dict)

    def heard(self, session: K, store: K | None, say: Say | None) -> list[K]:
        """Take note of what a session's worker says of its store, None: nothing; returns the stores to look at."""
        before = self._store_of.get(session)
        touched = {found: self._gist(found) for found in (before, store) if found is not None}
        if before is not None:
            self._forget(session, before)
        if store is not None and say is not None:
            self._by_store.setdefault(store, {})[session] = say
            self._store_of[session] = store
        return [found for found, gist in touched.items() if self._gist(found) != gist]

    def said(self, store: K) -> tuple[Say, ...]:
        """Return what is said of a store, in the order of the sessions' names."""
        return tuple(sorted(self._by_store.get(store, {}).values(), key=lambda say: say.session))

    def _forget(self, session: K, store: K) -> None:
        del self._store_of[session]
        says = self._by_store[store]
        del says[session]
        if not says:
            del self._by_store[store]

    def _gist(self, store: K) -> Gist:
        """Return what a store's conditions say of it: a hundred workers that agree are one message."""
        said = self.said(store)
        first = next((f"{say.session} {say.trouble.message}" for say in said if say.trouble is not None), "")
        return bool(said), first
