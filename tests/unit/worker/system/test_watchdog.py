"""The watchdog: it stops a browser past its time whatever the worker does, and ends it with the worker."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from scenes.ended_processes import has_ended
from whatsapp_worker.core import ownership_deadline
from whatsapp_worker.system import watchdog

FAMILY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"


@pytest.fixture
def family() -> Iterator[list[psutil.Process]]:
    """A process with a child, in a group of their own as a browser is."""
    process = subprocess.Popen([sys.executable, "-c", FAMILY], start_new_session=True)
    found = psutil.Process(process.pid)
    until(lambda: bool(found.children()), "the child")
    members = [found, *found.children()]
    yield members
    for member in reversed(members):
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait(60)


def until(predicate: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.01)


def all_are(family: list[psutil.Process], status: str) -> bool:
    return all(member.status() == status for member in family)


def test_past_its_time_a_browser_stands_still_and_goes_on_when_it_is_given_more(family: list[psutil.Process]) -> None:
    watching = watchdog.Watchdog()
    watching.until(watchdog.now() + 0.2)
    watching.watch_browser(family[0].pid)
    until(lambda: all_are(family, psutil.STATUS_STOPPED), "all to stand still")
    for member in family:
        member.send_signal(signal.SIGCONT)  # as a snapshot does at its end
    until(lambda: all_are(family, psutil.STATUS_STOPPED), "all to stand still again")
    watching.until(watchdog.now() + 600)
    until(lambda: all_are(family, psutil.STATUS_SLEEPING), "all to go on")
    family[0].kill()
    watching.close()


def test_a_browser_that_stands_still_is_ended_with_its_worker_and_never_goes_on(family: list[psutil.Process]) -> None:
    watching = watchdog.Watchdog()
    watching.watch_browser(family[0].pid)
    watching.until(watchdog.now())
    until(lambda: all_are(family, psutil.STATUS_STOPPED), "all to stand still")
    watching.close()
    until(lambda: has_ended(family[0]), "the end of the browser")
    until(lambda: has_ended(family[1]), "the end of its child")


def test_a_browser_may_close_by_itself_before_it_is_killed(family: list[psutil.Process]) -> None:
    watching = watchdog.Watchdog()
    watching.watch_driver([family[0].pid])
    began = time.monotonic()
    watching.close()
    assert time.monotonic() - began > watchdog.PATIENCE / 2


def test_a_worker_may_run_until_the_last_of_its_witnesses_is_too_old() -> None:
    witnesses = ownership_deadline.OwnershipDeadline({ownership_deadline.LEASE: 60.0, ownership_deadline.LOG: 60.0})
    assert witnesses.deadline() is None, "nobody has been asked yet"
    witnesses.answered(ownership_deadline.LOG, 100.0)
    assert witnesses.deadline() == 160.0
    witnesses.answered(ownership_deadline.LEASE, 130.0)
    assert witnesses.deadline() == 190.0, "one alone is enough"
    witnesses.answered(ownership_deadline.LEASE, 120.0)
    assert witnesses.deadline() == 190.0, "an older answer that comes late changes nothing"
    assert ownership_deadline.OwnershipDeadline({}).deadline() is None


def test_a_watchdog_that_has_ended_hears_nothing_and_that_is_no_fault() -> None:
    watching = watchdog.Watchdog()
    watching.close()
    watching.until(watchdog.now())
    watching.watch_browser(1)
