"""Two namespaces, or clusters, with one client id and one store: never two browsers, and a person may take over."""

import json
import pathlib
import signal
import sys

from component import workers
from component.workers import Home

SCRIPT = pathlib.Path(__file__).with_name("owned_worker.py")


def start(home: Home, namespace: str, cluster: str = "one", *flags: str) -> workers.Worker:
    """Start the worker of a session of this namespace, as if in a pod of its own."""
    uid = f"{cluster}-{namespace}"
    owner = {"cluster": cluster, "namespace": namespace, "session_uid": uid, "host": "wa-support"}
    owner["pod_uid"] = f"{uid}-{len(home.started)}"
    remote = ["--auth", "remote", "--store", f"file:{home.store}", "--client-id", home.client_id]
    remote += ["--data-path", str(home.root / owner["pod_uid"]), *flags]
    arguments = [f"--browser-arg={argument}" for argument in home.simulator.browser_args()]
    command = [sys.executable, str(SCRIPT), json.dumps(owner), "run", "--events", "json", "--log-level", "info"]
    return home.spawn([*command, *remote, *arguments])


def test_one_client_id_in_two_namespaces_never_has_two_browsers_and_is_taken_over_by_a_person(home: Home) -> None:
    first = start(home, "first")
    device = home.link(first)
    first.wait("saved")
    second = start(home, "second")
    ended = second.wait("ended")
    assert (ended["code"], ended["reason"]) == (3, "StoreSessionInUse")
    assert "pod wa-support of namespace first since its record of 20" in ended["message"]
    assert first.process.poll() is None

    taking = start(home, "second", "one", "--take-over")
    taking.wait("fault", reason="LeaseHeld")
    assert first.wait("ended")["reason"] == "Superseded"
    taking.wait("ready")
    assert not taking.all("qr"), taking
    mark = taking.mark
    home.news(device, "after the take-over")
    taking.signal(signal.SIGUSR1)
    taking.wait("saved", mark)
    seen = home.simulator.admin.device(device)
    assert (seen.two_browsers, home.simulator.admin.counts().get("two_browsers", 0)) == (0, 0)

    back = start(home, "first").wait("ended")
    assert back["reason"] == "StoreSessionInUse"
    assert "namespace second" in back["message"]


def test_a_session_of_a_lost_cluster_is_refused_then_taken_over_without_a_code(home: Home) -> None:
    lost = start(home, "bots", "lost")
    device = home.link(lost)
    lost.wait("saved")
    lost.kill()
    home.wait_for_browsers_to_end()
    refused = start(home, "bots", "new").wait("ended")
    assert refused["reason"] == "StoreSessionInUse", "nobody can tell from here that the old one is gone"
    taking = start(home, "bots", "new", "--take-over")
    taking.wait("ready")
    assert not taking.all("qr"), taking
    home.assert_whole(device)


def test_a_session_that_was_made_again_after_a_clean_stop_does_not_wait(home: Home) -> None:
    first = start(home, "bots")
    home.link(first)
    first.wait("saved")
    assert first.stop() == 0
    again = start(home, "bots", "other")
    again.wait("ready")
    assert not again.all("qr"), again
    assert not again.all("fault", reason="LeaseHeld"), again
    assert home.kinds().count("claim") == 2
