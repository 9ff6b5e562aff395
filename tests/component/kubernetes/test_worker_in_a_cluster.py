"""A real worker process beside a real operator on a real API server; the kubelet alone is played."""

import contextlib
import datetime
import json
import os
from collections.abc import Callable, Iterator

import pytest

from component import workers
from component.kubernetes.kubelet import SESSION, Cluster, Door
from component.workers import wait
from functional.world import Place
from simulator import client
from whatsapp_session import names
from whatsapp_worker.browser import command_line

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def cluster(place: Place, home: workers.Home) -> Cluster:
    place.store()
    place.session(SESSION, warnings={"archiveSize": "1Ki"})
    return Cluster(place, home)


def test_a_session_links_saves_and_comes_back_in_another_pod_without_a_code(cluster: Cluster) -> None:
    place, admin = cluster.place, cluster.home.simulator.admin
    first = place.wait_worker(SESSION)
    worker = cluster.start(first)
    shown = cluster.wait_state("AwaitingLink")
    device = scanned(cluster, worker)
    assert shown["podUID"] == first.uid
    cluster.wait_state("Connected")
    saved = wait(lambda: cluster.session().get("saved"), "the first save in the status")
    assert saved["generation"] == 1
    assert saved["trigger"] == "FirstLink"
    assert "qr" not in cluster.session()
    lease = place.lease(SESSION)
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == first.uid
    assert cluster.session()["sandbox"] == command_line.sandbox(command_line.environment(os.environ))
    place.wait_phase(SESSION, "Connected", "ArchiveVerified")
    wait(
        lambda: place.condition(SESSION, "Oversized").get("reason") == "ArchiveTooLarge",
        "the limit to be said exceeded",
    )
    reasons = wait(
        lambda: {e["reason"] for e in place.events(SESSION)} >= {"DeviceLinked", "ArchiveVerified"}, "Events"
    )
    assert reasons

    first.bind()
    place.admin.delete("Pod", place.name, names.pod(SESSION))
    assert worker.stop() == 0
    wait(lambda: (lease := place.lease(SESSION)) and not lease["spec"].get("holderIdentity"), "the Lease to be free")
    first.vanishes()

    wait(lambda: (pod := place.pod(SESSION)) and pod["metadata"]["uid"] != first.uid, "a new pod")
    second = place.wait_worker(SESSION)
    newest = [record["generation"]["number"] for record in cluster.home.records() if record["kind"] == "generation"][-1]
    cluster.start(second)
    connected = cluster.wait_state("Connected", second)
    assert connected["restored"]["generation"] == newest  # type: ignore[index] # an object
    assert admin.device(device).logins == 2
    assert admin.counts().get("rollbacks", 0) == 0
    assert admin.counts().get("two_browsers", 0) == 0


def test_a_killed_container_goes_on_with_its_own_lease_and_profile_at_once(cluster: Cluster) -> None:
    place, admin = cluster.place, cluster.home.simulator.admin
    pod = place.wait_worker(SESSION)
    worker = cluster.start(pod)
    cluster.wait_state("AwaitingLink")
    device = linked(cluster, worker)
    cluster.home.news(device)
    worker.kill()
    cluster.home.wait_for_browsers_to_end()
    again = cluster.start(pod)
    workers.wait(lambda: admin.device(device).logins == 2 and admin.device(device).synced, lambda: f"a login; {again}")
    wait(lambda: cluster.session().get("state") == "Connected", lambda: f"Connected; {cluster.session()}", 120)
    assert "state=Claiming" not in again.log.read_text()
    assert admin.device(device).rollbacks == 0, "the archive is older than the profile"
    lease = place.lease(SESSION)
    assert lease is not None
    assert lease["spec"]["leaseTransitions"] == 1, "the Lease stayed with the pod"


def test_a_worker_waits_without_complaint_until_the_operator_has_named_its_pod(cluster: Cluster) -> None:
    # The first writes of a worker are refused by the policy while its pod is not yet named: normal, and quiet.
    worker = cluster.start(cluster.place.wait_worker(SESSION))
    cluster.wait_state("AwaitingLink")
    log = worker.log.read_text()
    assert "level=ERROR" not in log
    assert "2@" not in log, "a QR code in the log"


def request(cluster: Cluster, name: str) -> str:
    """Request as a person does, by an annotation; returns its time."""
    time = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    patch = {"metadata": {"annotations": {names.request_annotation(name): time}}}
    cluster.place.admin.merge(names.SESSION_KIND, cluster.place.name, SESSION, patch)
    return time


def scanned(cluster: Cluster, worker: workers.Worker, phone: str = "alice") -> str:
    """Scan the code in the status, or the one that follows it if it is too old by then; returns the device."""

    def scan() -> str | None:
        qr = cluster.session().get("qr")
        with contextlib.suppress(client.RefusedError):
            return cluster.home.simulator.admin.scan(phone, qr["code"]) if isinstance(qr, dict) else None
        return None

    return str(wait(scan, lambda: f"a code in the status that a phone takes\n{worker}", 120))


def linked(cluster: Cluster, worker: workers.Worker, phone: str = "alice") -> str:
    """Scan the code in the status and wait until the login is saved; returns the device."""
    device = scanned(cluster, worker, phone)
    wait(lambda: cluster.session().get("saved"), lambda: f"the first save in the status\n{worker}", 120)
    return device


def test_a_request_to_relink_sets_the_login_aside_and_shows_a_code_in_the_same_process(cluster: Cluster) -> None:
    place, home = cluster.place, cluster.home
    worker = cluster.start(place.wait_worker(SESSION))
    device = linked(cluster, worker)
    time = request(cluster, "relink")
    wait(
        lambda: place.status(SESSION).get("handledRequests", {}).get("relink") == time,
        lambda: f"the echo\n{worker}",
        60,
    )
    assert home.kinds()[-1] == "logout"
    assert home.records()[-1]["logout"]["requested"] == time
    wait(lambda: not home.simulator.admin.device(device).linked, "the phone to have forgotten the device")
    assert home.archives(), "set aside, not deleted"
    assert worker.process.poll() is None
    linked(cluster, worker, "bob")
    wait(
        lambda: names.request_annotation("relink") not in lease_annotations(cluster), "the request to be off the Lease"
    )


def lease_annotations(cluster: Cluster) -> dict[str, str]:
    found = cluster.place.lease(SESSION)
    assert found is not None
    return dict(found["metadata"].get("annotations") or {})


def test_a_wrong_store_shows_no_code_until_a_person_gives_the_login_up(cluster: Cluster) -> None:
    place, home = cluster.place, cluster.home
    first = place.wait_worker(SESSION)
    worker = cluster.start(first)
    linked(cluster, worker)
    wait(lambda: names.ANNOTATION_KNOWN_ACCOUNT in lease_annotations(cluster), "the account on the Lease")
    first.bind()
    place.admin.delete("Pod", place.name, names.pod(SESSION))
    assert worker.stop() == 0
    first.vanishes()
    home.store.rename(home.root / "the right store")
    second = place.wait_worker(SESSION)
    assert second.uid != first.uid
    wrong = cluster.start(second)
    assert wrong.exit_code() == 3
    assert "ArchiveMissing" in wrong.log.read_text()
    assert "state=AwaitingLink" not in wrong.log.read_text()
    second.ends(3, "ArchiveMissing", "no archive", phase="Running")
    place.wait_phase(SESSION, "Failed")
    second.vanishes()
    request(cluster, "relink")
    wait(lambda: (pod := place.pod(SESSION)) and pod["metadata"]["uid"] != second.uid, "a new pod")
    third = cluster.start(place.wait_worker(SESSION))
    linked(cluster, third)


@contextlib.contextmanager
def cut_off(cluster: Cluster) -> Iterator[tuple[str, workers.Worker, Door, Callable[[], None]]]:
    """Link, kill, and start the container again while neither API server nor store answers.

    Gives the device, the new worker, the closed door to the API server, and what brings the store back.
    """
    place, home = cluster.place, cluster.home
    pod = place.wait_worker(SESSION)
    worker = cluster.start(pod)
    device = linked(cluster, worker)
    worker.kill()
    home.wait_for_browsers_to_end()
    away = home.root / "away"
    home.store.rename(away)
    home.store.write_text("an unreachable store")

    def store_is_back() -> None:
        home.store.unlink()
        away.rename(home.store)

    with contextlib.closing(Door(place.world.plane.server)) as door:
        yield device, cluster.start(pod, door), door, store_is_back


def test_a_restarted_container_goes_on_with_its_profile_while_api_and_store_are_silent(cluster: Cluster) -> None:
    home, admin = cluster.home, cluster.home.simulator.admin
    with cut_off(cluster) as (device, again, door, store_is_back):
        workers.wait(
            lambda: admin.device(device).logins == 2 and admin.device(device).online, lambda: f"a login; {again}"
        )
        assert admin.device(device).rollbacks == 0
        wait(lambda: "not claimed yet" in again.log.read_text(), lambda: f"a refused save; {again}")
        store_is_back()
        door.open()
        wait(
            lambda: home.kinds()[2:] == ["claim", "generation"], lambda: f"claim and save; {home.kinds()}\n{again}", 90
        )
        wait(lambda: cluster.session().get("state") == "Connected", lambda: f"Connected; {again}", 120)
        assert again.stop() == 0
    assert home.kinds()[-1] == "release", f"{home.kinds()} {again}"
    assert "state=AwaitingLink" not in again.log.read_text()


def test_a_container_that_went_on_alone_leaves_when_another_worker_came_between(cluster: Cluster) -> None:
    home, admin = cluster.home, cluster.home.simulator.admin
    with cut_off(cluster) as (device, again, _, store_is_back):
        workers.wait(lambda: admin.device(device).logins == 2, lambda: f"a login; {again}")
        log = home.root / "away" / home.session.name / "log"
        newest = json.loads(max(log.glob("*.json")).read_text())
        slot = newest["slot"] + 1
        theirs = newest | {"slot": slot, "kind": "claim", "claim": {"pollSeconds": 60}, "nonce": "another"}
        theirs["owner"] = newest["owner"] | {"podUID": "another"}
        (log / f"{slot:012d}.json").write_text(json.dumps(theirs))
        store_is_back()
        assert again.exit_code() == 0
    assert "Superseded" in again.log.read_text() or "state=Superseded" in again.log.read_text()
    assert home.records()[-1]["slot"] == slot, "what the old one knows is not saved, nothing is released"
