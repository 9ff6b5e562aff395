"""A real worker on a node whose clock is wrong by days, beside an operator and an API server whose clocks are right."""

import time

import pytest

from component import workers
from component.kubernetes.kubelet import SESSION, Cluster
from component.workers import wait
from functional.callers import Manifest
from functional.worker import stamp
from functional.world import Place
from scenes import wrong_clock
from whatsapp_session import names, timestamps

pytestmark = pytest.mark.usefixtures("operator")
AHEAD = 3 * wrong_clock.DAY


@pytest.fixture
def cluster(place: Place, home: workers.Home) -> Cluster:
    place.store()
    place.session(SESSION)
    return Cluster(place, home)


def near(text: object) -> bool:
    """Tell whether a time is about now, by a clock that is right."""
    return abs((timestamps.seconds(text) or 0.0) - time.time()) < 900


def test_a_worker_is_believed_hears_requests_and_tells_right_times(cluster: Cluster) -> None:
    place, home = cluster.place, cluster.home
    pod = place.wait_worker(SESSION)
    worker = cluster.start(pod, env=wrong_clock.environment(AHEAD))
    wait(lambda: cluster.session().get("qr"), lambda: f"the code in the status\n{worker}", 120)
    shown: Manifest = dict(cluster.session())
    assert near(shown["qr"]["expiresAt"])
    device = home.simulator.admin.scan("alice", shown["qr"]["code"])
    assert device is not None
    place.wait_phase(SESSION, "Connected", "ArchiveVerified")
    assert near((place.lease(SESSION) or {})["spec"]["renewTime"])
    assert all(near(record["time"]) for record in home.records())

    home.news(device)
    moment = stamp()
    patch = {"metadata": {"annotations": {names.request_annotation("save"): moment}}}
    place.admin.merge(names.SESSION_KIND, place.name, SESSION, patch)
    wait(lambda: place.status(SESSION).get("handledRequests") == {"save": moment}, "the request to be handled", 120)

    worker.kill()
    home.wait_for_browsers_to_end()
    cluster.start(pod, env=wrong_clock.environment(AHEAD))
    # The kubelet's times are of the same clock as the worker's.
    pod.set_pod("Running", {"running": {"startedAt": stamp(AHEAD - 2)}}, restarts=1)
    wait(lambda: home.simulator.admin.device(device).logins == 2, lambda: f"a login\n{home.started[-1]}", 120)
    place.wait_phase(SESSION, "Connected", "ArchiveVerified")
