"""Logs and archives of every format that was ever released are restored by this version."""

import os
import pathlib
import shutil

import pytest

from component.released_formats import FORMATS, GOLDEN
from component.workers import Home, wait
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import generations, log, records
from whatsapp_worker.stores import filesystem


def copy(home: Home, name: str, *, released: bool) -> None:
    home.client_id = "golden"
    home.root.mkdir(parents=True, exist_ok=True)
    shutil.copytree(GOLDEN / name, home.store)
    if released:
        (home.session / "log" / "000000000005.json").unlink()


def test_there_is_a_golden_log_of_the_present_format() -> None:
    assert f"format-{records.FORMAT_VERSION}" in FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_a_golden_log_reads_as_it_was_written(name: str) -> None:
    journal = log.SessionLog(filesystem.FilesystemStore(GOLDEN / name), "RemoteAuth-golden", records.Owner())
    head = journal.newest()
    assert head is not None
    kinds = [type(record.body).__name__ for record in journal.back(head.slot)][::-1]
    assert kinds == ["Claim", "Generation", "Generation", "Release", "Claim"]
    assert head.owner.host == "golden-host"


@pytest.mark.parametrize("name", FORMATS)
def test_every_golden_archive_is_whole_and_says_what_its_record_says(name: str, tmp_path: pathlib.Path) -> None:
    store = filesystem.FilesystemStore(GOLDEN / name)
    journal = log.SessionLog(store, "RemoteAuth-golden", records.Owner())
    journal.newest()
    kept = generations.Generations(store, journal)
    newest = kept.next_candidate(journal.head)
    assert newest is not None
    older = kept.next_candidate(newest.slot)
    assert older is not None
    assert [newest.generation.number, older.generation.number] == [2, 1]
    for candidate in (newest, older):
        target = tmp_path / str(candidate.generation.number)
        kept.fetch(candidate.generation, target)
        assert layout.ContentDigest().of(target) == candidate.generation.content_digest


@pytest.mark.parametrize("name", FORMATS)
def test_a_browser_finds_the_whole_login_in_a_golden_archive(home: Home, name: str) -> None:
    # The simulator of this test does not know the device: it answers a whole login with "unknown device" and half a
    # one with "half keys".
    copy(home, name, released=True)
    worker = home.start()
    wait(lambda: home.simulator.admin.counts().get("unknown_device"), lambda: f"the login to be shown; {worker}")
    assert not home.simulator.admin.counts().get("half_keys")
    worker.wait("fault", reason="RestoreFailed")


@pytest.mark.parametrize("name", FORMATS)
def test_a_golden_session_that_was_not_released_is_refused_until_a_person_takes_it_over(home: Home, name: str) -> None:
    copy(home, name, released=False)
    worker = home.start()
    ended = worker.wait("ended")
    assert ended["reason"] == "StoreSessionInUse"
    assert "golden-host" in ended["message"]
    taking = home.start("--take-over")
    fault = taking.wait("fault", reason="LeaseHeld")
    assert "until the previous worker has stopped for certain" in fault["message"]
    assert home.kinds()[-1] == "claim"
    assert os.path.basename(home.records()[-1]["owner"]["dataPath"]) == "data"  # noqa: PTH119  a record's text
