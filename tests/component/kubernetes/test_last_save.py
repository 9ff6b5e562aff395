"""The last save of a session that is deleted: what it needs of the API goes before it has ended."""

import signal

import pytest

from component import workers
from component.kubernetes.kubelet import SESSION, Cluster
from component.workers import wait
from functional.world import Place
from whatsapp_session import names

pytestmark = pytest.mark.usefixtures("operator")

OWN = names.session_account(SESSION)
GONE = {
    401: [("ServiceAccount", OWN)],
    403: [("RoleBinding", OWN), ("Role", OWN)],
    404: [("Lease", names.lease(SESSION))],
}
"""What the garbage collector removes, in any order, by the answer that the worker gets from then on."""


@pytest.fixture
def cluster(place: Place, home: workers.Home) -> Cluster:
    place.store()
    place.session(SESSION)
    return Cluster(place, home)


@pytest.mark.parametrize("first", GONE)
def test_a_deletion_during_a_slow_save_loses_nothing(cluster: Cluster, first: int) -> None:
    place, home = cluster.place, cluster.home
    pod = place.wait_worker(SESSION)
    worker = cluster.start(pod)
    wait(lambda: cluster.session().get("qr"), lambda: f"the code in the status\n{worker}", 120)
    device = home.simulator.admin.scan("alice", cluster.session()["qr"]["code"])  # type: ignore[index]  # an object
    assert device is not None
    wait(lambda: cluster.session().get("saved"), lambda: f"the first save in the status\n{worker}", 120)
    home.news(device)
    saved = home.kinds().count("generation")
    pod.bind()
    place.admin.delete(names.SESSION_KIND, place.name, SESSION)
    worker.signal(signal.SIGTERM)
    wait(lambda: "state=Stopping" in worker.log.read_text(), lambda: f"the worker to stop\n{worker}")
    # A store that answers slowly: meanwhile everything goes that the session owned.
    worker.signal(signal.SIGSTOP)
    for status in sorted(GONE, key=lambda status: status != first):
        for kind, name in GONE[status]:
            place.admin.delete(kind, place.name, name)
    worker.signal(signal.SIGCONT)
    assert worker.exit_code() == 0
    assert home.kinds().count("generation") == saved + 1, f"{home.kinds()}\n{worker}"
    assert home.kinds()[-1] == "release"
    log = worker.log.read_text()
    assert "Traceback" not in log
    assert "level=ERROR" not in log
