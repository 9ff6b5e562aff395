"""A worker on a machine whose clock is wrong by days, or is set while it runs: nothing that it decides follows it."""

import pathlib
import signal

import pytest

from component import workers
from component.conftest import MakeHome
from component.stores import servers
from scenes import wrong_clock
from scenes.wrong_clock import DAY, HOUR

WRONG = {"-26 h": -26 * HOUR, "-3 d": -3 * DAY, "+3 d": 3 * DAY}
ALWAYS = (("filesystem", "-26 h"), ("mongodb", "-3 d"), ("filesystem", "+3 d"))
CASES = [
    pytest.param(kind, wrong, marks=[] if (kind, wrong) in ALWAYS else pytest.mark.soak)
    for kind in ("filesystem", "mongodb")
    for wrong in WRONG
]


@pytest.mark.parametrize(("kind", "wrong"), CASES)
def test_a_login_is_saved_and_comes_back_without_a_code(
    make_home: MakeHome, tmp_path: pathlib.Path, kind: str, wrong: str
) -> None:
    home, env = make_home(), dict(wrong_clock.environment(WRONG[wrong]))
    flags = ["--auth", "remote", "--client-id", home.client_id, "--data-path", str(home.data)]
    with servers.mongo_server(tmp_path / "mongo") as server:
        env["MONGODB_URI"] = server.uri()
        flags += ["--store", f"file:{home.store}" if kind == "filesystem" else "mongodb:sessions"]
        worker = home.run(*flags, env=env)
        device = home.link(worker)
        worker.wait("saved")
        assert worker.faults() == []
        workers.lose_everything_but_the_store(home, worker)
        again = home.run(*flags, env=env)
        again.wait("ready")
        home.assert_whole(device)
        home.news(device)
        before = again.mark
        again.signal(signal.SIGUSR1)
        again.wait("saved", before)
        assert (again.all("qr"), again.faults()) == ([], [])
        assert again.stop() == 0


def test_a_clock_that_is_set_while_a_session_runs_changes_nothing(make_home: MakeHome, tmp_path: pathlib.Path) -> None:
    home, clock = make_home(), wrong_clock.Clock(tmp_path / "clock")
    clock.set(0)
    worker = home.start(env=clock.environment())
    device = home.link(worker)
    worker.wait("saved")
    states = len(worker.all("state"))
    for ahead in (-26 * HOUR, 3 * DAY, 0):
        clock.set(ahead)
        home.news(device, f"at {ahead:+.0f} s")
        before = worker.mark
        worker.signal(signal.SIGUSR1)
        worker.wait("saved", before)
    assert len(worker.all("state")) == states, "nothing happened to the session"
    assert len(worker.all("qr")) == 1
    assert worker.faults() == []
    assert worker.stop() == 0


def test_s3_that_refuses_the_clock_is_an_outage_which_says_by_how_much(
    make_home: MakeHome, tmp_path: pathlib.Path
) -> None:
    home, clock = make_home(), wrong_clock.Clock(tmp_path / "clock")
    clock.set(0)
    with servers.s3_server(tmp_path / "s3") as server:
        client = server.client()
        client.create_bucket(Bucket=servers.BUCKET)
        client.close()
        keys = {"AWS_ACCESS_KEY_ID": servers.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": servers.SECRET_KEY}
        flags = ["--auth", "remote", "--client-id", home.client_id, "--data-path", str(home.data)]
        worker = home.run(*flags, "--store", server.address(servers.BUCKET), env=keys | dict(clock.environment()))
        device = home.link(worker)
        worker.wait("saved")
        clock.set(-26 * HOUR)
        home.news(device)
        worker.signal(signal.SIGUSR1)
        said = worker.wait("fault", reason="StoreUnavailable")["message"]
        assert "the clock of this machine is 26 hours behind the store's; set it" in said
        assert worker.all("state")[-1]["state"] == "Connected"
        clock.set(0)
        before = worker.mark
        worker.signal(signal.SIGUSR1)
        worker.wait("saved", before)
        assert worker.stop() == 0
