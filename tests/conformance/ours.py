"""Name our worker's run of each scenario: what it does fills the table's last column."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from conformance import ours_page, ours_store
from conformance.scenarios import Observation

LONG = {"site-down"}  # mostly waits for the worker to look again
RUNS: dict[str, Callable[[pathlib.Path], Observation]] = {
    "remote-auth": ours_store.remote_auth,
    "local-auth": ours_store.local_auth,
    "no-auth": ours_store.no_auth,
    "busy-saves": ours_store.busy_saves,
    "early-save": ours_store.early_save,
    "dead-archive": ours_page.dead_archive,
    "conflict": ours_page.conflict,
    "half-zip": ours_store.half_zip,
    "empty-file": ours_store.empty_file,
    "noise": ours_store.noise,
    "failing-store": ours_store.failing_store,
    "destroyed-early": ours_store.destroyed_early,
    "used-up-refs": ours_page.used_up_refs,
    "idle-at-start": ours_page.idle_at_start,
    "early-sync": ours_page.early_sync,
    "resync": ours_page.resync,
    "relinked": ours_page.relinked,
    "site-down": ours_page.site_down,
    "store-away": ours_store.store_away,
    "stale-lock": ours_store.stale_lock,
}
