"""What ``whatsapp-worker store purge`` leaves of a session in a directory, and what the next worker makes of it."""

import pathlib
import shutil
import subprocess

import pytest

from component.released_formats import FORMATS, GOLDEN
from component.workers import COMMAND, Home


def purge(store: pathlib.Path, client_id: str, *flags: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as a person would."""
    command = [COMMAND, "store", "purge", "--store", f"file:{store}", "--client-id", client_id, *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=store.parent)


def test_after_a_purge_the_next_start_asks_for_a_new_link_and_nothing_is_said_to_be_missing(home: Home) -> None:
    worker, _ = home.linked()
    assert worker.stop() == 0
    saved = len(home.archives())
    assert saved
    done = purge(home.store, home.client_id)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"deleted {saved} archives and the whatsapp-web.js-compatible copy of RemoteAuth-support\n"
    assert home.archives() == []
    assert home.kinds()[-3:] == ["claim", "purge", "release"]
    # The profile on the disk goes as the pod's emptyDir does.
    shutil.rmtree(home.data)
    again = home.start()
    home.link(again, "bob")
    again.wait("saved")
    assert not again.faults()
    assert len(home.archives()) == 1


def test_a_session_that_runs_elsewhere_is_not_purged(home: Home) -> None:
    home.linked()
    before = home.archives()
    done = purge(home.store, home.client_id)
    assert done.returncode == 3
    assert done.stderr.startswith("whatsapp-worker: StoreSessionInUse: the session is in use by process")
    assert home.archives() == before


@pytest.mark.parametrize("name", FORMATS)
def test_a_golden_log_that_was_released_can_be_purged(tmp_path: pathlib.Path, name: str) -> None:
    store = tmp_path / "store"
    shutil.copytree(GOLDEN / name, store)
    (store / "RemoteAuth-golden/log/000000000005.json").unlink()
    assert purge(store, "golden").stdout == "deleted 2 archives of RemoteAuth-golden\n"
    assert purge(store, "golden").stdout == "deleted 0 archives of RemoteAuth-golden\n"
    assert list((store / "RemoteAuth-golden/archives").iterdir()) == []


def test_a_purge_without_a_store_says_what_to_give(tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        [COMMAND, "store", "purge"], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "--store" in done.stderr
