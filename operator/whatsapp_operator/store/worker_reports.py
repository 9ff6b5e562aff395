"""Remember the reports of workers about their stores, in memory; after a restart they are collected again."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from whatsapp_operator.observed.state import StoreReport

K = TypeVar("K", bound=Hashable)
Gist = tuple[bool, str]


@dataclass(slots=True)
class WorkerReports(Generic[K]):
    """The last report about each store, by session."""

    _by_store: dict[K, dict[K, StoreReport]] = field(default_factory=dict)
    _store_of: dict[K, K] = field(default_factory=dict)
    _troubled: dict[K, dict[K, StoreReport]] = field(default_factory=dict)
    """Those of them that have a problem: most have none, and each report is compared."""

    def record(self, session: K, store: K | None, report: StoreReport | None) -> list[K]:
        """Record the report of a session's worker about its store (None: none); returns the stores to reconcile."""
        before = self._store_of.get(session)
        touched = {found: self._gist(found) for found in (before, store) if found is not None}
        if before is not None:
            self._forget(session, before)
        if store is not None and report is not None:
            self._by_store.setdefault(store, {})[session] = report
            self._store_of[session] = store
            if report.problem is not None:
                self._troubled.setdefault(store, {})[session] = report
        return [found for found, gist in touched.items() if self._gist(found) != gist]

    def of_store(self, store: K) -> tuple[StoreReport, ...]:
        """Return the reports about a store, ordered by session."""
        return tuple(sorted(self._by_store.get(store, {}).values(), key=lambda report: report.session))

    def _forget(self, session: K, store: K) -> None:
        del self._store_of[session]
        for group in (self._by_store, self._troubled):
            reports = group.get(store, {})
            reports.pop(session, None)
            if not reports:
                group.pop(store, None)

    def _gist(self, store: K) -> Gist:
        """Return the part of the reports that the conditions of a store show, so that equal reports change nothing."""
        troubled = self._troubled.get(store, {}).values()
        first = min(((report.session, report.problem) for report in troubled), key=lambda item: item[0], default=None)
        described = "" if first is None or first[1] is None else f"{first[0]} {first[1].message}"
        return store in self._by_store, described
