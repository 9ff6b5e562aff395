"""Processes are known by pid and start time, and end together with their groups."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.errors import LocalClusterError
from deploy.local.native import processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


def test_a_process_is_alive_until_it_is_killed() -> None:
    with subprocess.Popen(SLEEP) as child:
        one = processes.record("sleep", child.pid)
        assert processes.alive(one)
        child.kill()
        child.wait()
        assert not processes.alive(one)


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen(["true"]) as child:
        assert processes.poll(lambda: processes.start_time(child.pid) is None, 10)


def test_another_process_with_the_same_number_is_neither_alive_nor_ended() -> None:
    with subprocess.Popen(SLEEP) as child:
        real = processes.record("sleep", child.pid)
        older = replace(real, started=real.started - 1)
        assert not processes.alive(older)
        processes.end([older], grace=0.1)
        assert processes.alive(real)
        child.kill()


def test_what_was_saved_is_loaded_again(tmp_path: Path) -> None:
    one = processes.record("self", os.getpid())
    processes.save(tmp_path / "pids", one)
    assert processes.load(tmp_path / "pids") == [one]


def test_a_process_that_ignores_the_polite_signal_is_ended_all_the_same() -> None:
    with subprocess.Popen(STUBBORN, stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        processes.end([processes.record("stubborn", child.pid)], grace=0.2)
        assert child.wait() == -signal.SIGKILL


def test_a_wait_in_vain_says_what_it_waited_for() -> None:
    with pytest.raises(LocalClusterError, match="without success for the moon"):
        processes.wait(lambda: False, 0.1, lambda: "the moon")


def test_children_are_gone_when_they_were_stopped(tmp_path: Path) -> None:
    children = processes.Children(tmp_path)
    children.start("sleep", SLEEP)
    one = processes.record("sleep", children.running["sleep"].pid)
    assert children.ended() is None
    children.stop()
    assert not processes.alive(one)


def test_a_child_that_ends_by_itself_is_named_and_its_last_words_are_kept(tmp_path: Path) -> None:
    children = processes.Children(tmp_path)
    children.start("short", ["sh", "-c", "echo farewell"])
    assert processes.poll(lambda: children.ended() == "short", 10)
    assert children.last_lines("short") == "farewell"
    children.stop()


def test_children_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from deploy.local.native import processes
children = processes.Children(Path({str(tmp_path)!r}))
children.start("sleep", ["sleep", "600"])
pid = children.running["sleep"].pid
# Before it runs the program, the guard may not have asked for the signal yet.
processes.wait(lambda: "sleep" in os.readlink(f"/proc/{{pid}}/exe"), 20, lambda: "the guard")
print(pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    repository = Path(processes.__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, stdout=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL
    child = int(done.stdout)
    assert processes.poll(lambda: processes.start_time(child) is None, 10)
