"""Name what is tried, and run all of it side by side: much of the library's time is fixed waiting."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Mapping

from conformance import peer


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """Hold what was seen, in a few words, and the facts that a test asserts."""

    words: str
    facts: Mapping[str, object]


@dataclasses.dataclass(frozen=True, slots=True)
class Scenario:
    """Describe one thing to try with the library; `must` says what is expected of ours instead."""

    name: str
    what: str
    must: str
    run: Callable[[peer.Place], Observation]
    long: bool = False  # waits for the library's fixed 60 s


def wait_until(what: str, predicate: Callable[[], bool], seconds: float) -> None:
    """Poll until the predicate is true; raise AssertionError with what was waited for."""
    end = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        time.sleep(0.05)


def is_in_local_storage(profile: pathlib.Path, key: str) -> bool:
    """Return whether Chromium has written this key of the page's localStorage (it writes late)."""
    folder = profile / "Default" / "Local Storage" / "leveldb"
    try:
        return any(key.encode() in file.read_bytes() for file in folder.glob("*.log"))
    except FileNotFoundError:
        return False


def second_key_is_on_disk(profile: pathlib.Path) -> bool:
    """Return whether the half of the login that lies in localStorage is on the disk."""
    return is_in_local_storage(profile, "WAIdentityKey")


def wait_for_disk(place: peer.Place) -> None:
    """Wait until the whole login is in RemoteAuth's local profile."""
    wait_until("localStorage on the disk", lambda: second_key_is_on_disk(place.profile()), 120)


ATTEMPTS = 3


def persistently(run: Callable[[peer.Place], Observation], place: Callable[[int], peer.Place]) -> Observation:
    """Run a scenario, each attempt in a place of its own; the table says how often the library died or hung in it.

    It may die at any navigation of the page: what it evaluates there it does not await, and an unhandled rejection
    ends it. Its save hangs for ever when a file vanishes while it is packed.
    """
    failed = 0
    while True:
        try:
            seen = run(place(failed + 1))
        except peer.UnansweredError:
            failed += 1
            if failed == ATTEMPTS:
                raise
            continue
        after = f" (after it had died or hung {failed}x)" if failed else ""
        return dataclasses.replace(seen, words=seen.words + after)


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """Hold one thing to run; a long one mostly waits."""

    name: str
    run: Callable[[], Observation]
    long: bool


class Runs:
    """Run jobs in threads, the long ones first, and hand out what they saw."""

    def __init__(self, jobs: list[Job]) -> None:
        ordered = sorted(jobs, key=lambda job: (not job.long, job.name))
        # A long job mostly waits; of those that work there are as many as cores.
        at_once = sum(job.long for job in ordered) + max(2, os.cpu_count() or 2)
        self._pool = concurrent.futures.ThreadPoolExecutor(at_once)
        self._futures = {job.name: self._pool.submit(job.run) for job in ordered}

    def of(self, name: str) -> Observation:
        """Return what a job saw; raise what it raised."""
        return self._futures[name].result(1800)

    def close(self) -> None:
        """Wait for the rest and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
