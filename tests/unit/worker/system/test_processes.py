"""Freezing, recognising and ending processes, tried on real ones."""

import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import psutil
import pytest

from scenes.ended_processes import has_ended
from whatsapp_worker import errors
from whatsapp_worker.core import events
from whatsapp_worker.runtime import error_events
from whatsapp_worker.system import processes

BUSY = """
import pathlib, sys, threading, time
def work(path):
    with open(path, "ab", buffering=0) as stream:
        while True:
            stream.write(b"x")
            time.sleep(0.0005)
for number in range(6):
    pathlib.Path(f"{sys.argv[1]}/{number}").touch()
    threading.Thread(target=work, args=(f"{sys.argv[1]}/{number}",)).start()
print("ready", flush=True)
"""


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """In memory where that is to be had: what waits for a slow disk cannot be stopped meanwhile."""
    memory = pathlib.Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as made:
        yield pathlib.Path(made)


@pytest.fixture
def busy(folder: pathlib.Path) -> Iterator[psutil.Process]:
    process = subprocess.Popen([sys.executable, "-c", BUSY, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield psutil.Process(process.pid)
    process.kill()
    process.wait(60)
    process.stdout.close()


def sizes(folder: pathlib.Path) -> list[int]:
    return [(folder / str(number)).stat().st_size for number in range(6)]


def test_a_frozen_process_writes_nothing_and_goes_on_afterwards(busy: psutil.Process, folder: pathlib.Path) -> None:
    for _ in range(5):
        with processes.frozen([busy]):
            before = sizes(folder)
            time.sleep(0.02)  # the time in which a thread that still runs would write
            assert sizes(folder) == before
        deadline = time.monotonic() + 30
        while sizes(folder) == before:
            assert time.monotonic() < deadline, "the process did not go on"


def test_a_process_is_thawed_though_the_work_inside_fails(busy: psutil.Process) -> None:
    with pytest.raises(RuntimeError), processes.frozen([busy]):
        raise RuntimeError("inside")
    assert busy.status() != psutil.STATUS_STOPPED


def test_a_process_that_is_gone_does_not_stop_the_freeze_of_the_others(busy: psutil.Process) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    ended = psutil.Process(gone.pid)
    gone.wait(60)
    with processes.frozen([ended, busy]):
        assert busy.status() == psutil.STATUS_STOPPED


def test_a_number_that_was_given_to_another_process_is_not_the_same_process(busy: psutil.Process) -> None:
    identity = processes.identify(busy)
    assert processes.alive(identity)
    assert not processes.alive(processes.Identity(identity.pid, identity.start_time - 10))
    processes.kill_tree(processes.Identity(identity.pid, identity.start_time - 10))
    assert busy.is_running()
    processes.kill_tree(identity)
    assert not processes.alive(identity)


def test_a_tree_is_ended_even_when_it_is_stopped() -> None:
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    child.suspend()
    processes.kill_tree(processes.identify(psutil.Process(parent.pid)))
    parent.wait(60)
    parent.stdout.close()
    assert has_ended(child)


def test_zombies_that_fell_to_us_are_collected_and_those_of_others_left() -> None:
    ours = subprocess.Popen([sys.executable, "-c", ""])
    theirs = subprocess.Popen([sys.executable, "-c", ""])
    for process in (ours, theirs):
        deadline = time.monotonic() + 60
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
    assert processes.reap(frozenset({theirs.pid})) >= 1, "other tests of this process may have left some, too"
    assert not psutil.pid_exists(ours.pid)
    assert psutil.Process(theirs.pid).status() == psutil.STATUS_ZOMBIE
    assert theirs.wait(60) == 0
    ours.returncode = 0


ERRORS: list[tuple[Exception, str, str]] = [
    (errors.Superseded("x"), "Fatal", "Superseded"),
    (errors.SessionInUse("x"), "Fatal", "StoreSessionInUse"),
    (errors.BrowserTooOld("x"), "Fatal", "BrowserTooOld"),
    (errors.ArchiveMissing("x"), "Fatal", "ArchiveMissing"),
    (errors.LogBroken("x"), "Fatal", "RestoreFailed"),
    (errors.ConfigurationError("x"), "Fatal", "InvalidConfiguration"),
    (errors.BrowserError("x"), "BrowserGone", "BrowserCrashed"),
    (errors.StoreUnavailable("x"), "RetryingAfter", "StoreUnavailable"),
    (errors.NotFound("x"), "RetryingAfter", "StoreUnavailable"),
]


@pytest.mark.parametrize(("error", "kind", "reason"), ERRORS, ids=[type(error).__name__ for error, _, _ in ERRORS])
def test_an_error_becomes_the_event_that_says_what_to_do(error: Exception, kind: str, reason: str) -> None:
    event = error_events.as_event(error)
    assert type(event).__name__ == kind
    assert isinstance(event, events.Fatal | events.BrowserGone | events.RetryingAfter)
    assert str(event.reason) == reason


def test_an_error_that_nobody_foresaw_ends_the_worker_loudly(caplog: pytest.LogCaptureFixture) -> None:
    event = error_events.as_event(ZeroDivisionError("secret"))
    assert isinstance(event, events.Fatal)
    assert "secret" not in event.message
    assert "Traceback" in caplog.text or "ZeroDivisionError" in caplog.text
