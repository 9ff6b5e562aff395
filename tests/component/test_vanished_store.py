"""Real mounts that go, change and come back under a running worker."""

import signal

from component import mounts
from component.workers import COMMAND, Home, Worker


def start(home: Home, there: mounts.MountNamespace) -> Worker:
    """Start a worker that sees the mounts of a namespace."""
    arguments = [f"--browser-arg={argument}" for argument in home.simulator.browser_args()]
    remote = ["--auth", "remote", "--store", f"file:{home.store}", "--client-id", home.client_id]
    flags = ["--events", "json", "--log-level", "info", *remote, "--data-path", str(home.data)]
    return home.spawn(there.command(COMMAND, "run", *flags, *arguments))


def refused(worker: Worker, said: str) -> None:
    """Request a save that the store does not take, and wait until the worker says why."""
    before = worker.mark
    worker.signal(signal.SIGUSR1)
    fault = worker.wait("fault", before, reason="StoreUnavailable")
    assert said in fault["message"], fault


def test_a_store_that_is_unmounted_or_replaced_gets_nothing_and_saves_go_on_when_it_is_back(home: Home) -> None:
    disk = home.root / "disk"
    for path in (disk, home.store):
        path.mkdir(parents=True)
    mount = ("mount", "--bind", str(disk), str(home.store))
    with mounts.namespace() as there:
        there.run(*mount)
        worker = start(home, there)
        device = home.link(worker)
        worker.wait("saved")
        before = sorted(path.relative_to(disk) for path in disk.rglob("*"))
        home.news(device)
        there.run("umount", str(home.store))
        refused(worker, "unmounted, emptied or replaced")
        assert list(there.inside(home.store).iterdir()) == [], "nothing is written below the mount"
        there.run(*mount)
        there.run("mount", "-o", "remount,bind,ro", str(home.store))
        refused(worker, "EROFS")
        there.run("umount", str(home.store))
        there.run("mount", "-t", "tmpfs", "-o", "size=1m", "another", str(home.store))
        refused(worker, "unmounted, emptied or replaced")
        assert list(there.inside(home.store).iterdir()) == [], "nothing is written to another volume"
        assert sorted(path.relative_to(disk) for path in disk.rglob("*")) == before
        there.run("umount", str(home.store))
        there.run(*mount)
        worker.wait("saved", worker.mark)
        assert worker.stop() == 0
    assert not worker.all("disconnected"), "the session went on all the while"
    (home.store).rmdir()
    disk.rename(home.store)
    assert home.kinds()[:3] == ["claim", "generation", "generation"]
    assert home.kinds()[-1] == "release"
