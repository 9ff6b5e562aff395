"""What a session leaves that was linked, saved and stopped: one run, looked at from all sides."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from component import workers
from component.workers import Home, Worker
from simulator.testing import running_simulator


@dataclass(frozen=True, slots=True)
class Finished:
    """A worker that has ended, told all that it can, and where it lived."""

    home: Home
    worker: Worker
    device: str
    code: int


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Link, save and stop a session once for the tests of this file."""
    root = tmp_path_factory.mktemp("finished")
    with running_simulator(None, sync_bytes=1_000_000, sync_s=0.5) as sim, workers.home_at(root / "home", sim) as home:
        worker, device = home.linked("--log-level", "debug")
        yield Finished(home, worker, device, worker.stop())


def test_a_stopped_session_stays_stopped(finished: Finished) -> None:
    assert finished.code == 0
    assert not finished.home.browsers()
    assert finished.home.kinds()[-1] == "release"


def test_an_archive_holds_the_login_and_nothing_else(finished: Finished) -> None:
    with zipfile.ZipFile(finished.home.archives()[0]) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    folders = {"/".join(name.split("/")[:2]) for name in names}
    assert folders == {"Default/", "Default/IndexedDB", "Default/Local Storage"}
    assert not [name for name in names if name.endswith(("/LOCK", "/LOG"))]


def test_the_log_tells_the_whole_story(finished: Finished) -> None:
    home = finished.home
    records = home.records()
    assert [record["slot"] for record in records] == list(range(1, len(records) + 1))
    kinds = home.kinds()
    assert (kinds[0], kinds[1], kinds[-1]) == ("claim", "generation", "release")
    generation = records[1]["generation"]
    assert generation["checks"] == ["linked", "sentinel", "databases"]
    assert generation["browserVersion"].partition(".")[0].isdigit()
    assert generation["accountHash"]
    assert records[0]["owner"]["dataPath"] == str(home.data)


def test_neither_code_nor_account_reaches_the_log_of_the_process(finished: Finished) -> None:
    worker, account = finished.worker, finished.device.partition(":")[0]
    text = worker.log.read_text()
    code = worker.all("qr")[0]["code"]
    assert code.split(",")[0] not in text
    assert account not in text
    assert account not in json.dumps([event for event in worker.events if event["event"] != "qr"])
