"""A damaged newest archive is said where a person looks: in the status and by an Event of the real API server."""

import pytest

from component import workers
from component.kubernetes.kubelet import SESSION, Cluster
from functional.callers import wait
from functional.world import Place
from whatsapp_session import names

pytestmark = pytest.mark.usefixtures("operator")


def linked(cluster: Cluster) -> str:
    """Link and save the session of a first pod, let the pod end cleanly; returns the device."""
    place, home = cluster.place, cluster.home
    pod = place.wait_worker(SESSION)
    worker = cluster.start(pod)
    wait(lambda: cluster.session().get("qr"), lambda: f"the code in the status\n{worker}", 120)
    device = home.simulator.admin.scan("alice", cluster.session()["qr"]["code"])  # type: ignore[index] # an object
    assert device is not None
    wait(lambda: cluster.session().get("saved"), lambda: f"the first save in the status\n{worker}", 120)
    home.news(device)
    pod.bind()
    place.admin.delete("Pod", place.name, names.pod(SESSION))
    assert worker.stop() == 0
    pod.vanishes()
    wait(lambda: (found := place.pod(SESSION)) and found["metadata"]["uid"] != pod.uid, "a new pod")
    assert len(home.archives()) == 2
    return device


@pytest.mark.parametrize(
    ("left", "copy"),
    [(0, False), (0, True), (1, False)],
    ids=["none is whole", "only the wwebjs-compatible copy is whole", "an older one is whole"],
)
def test_a_damaged_newest_archive_is_said_in_status_and_event(
    place: Place, home: workers.Home, left: int, copy: bool
) -> None:
    place.store()
    place.session(SESSION)
    cluster = Cluster(place, home)
    device = linked(cluster)
    for path in home.archives()[left:]:
        path.write_bytes(path.read_bytes()[:-100])
    if not copy:
        for path in home.store.glob("*.zip"):
            path.unlink()
    again = cluster.start(place.wait_worker(SESSION))
    wait(
        lambda: [event for event in place.events(SESSION) if event["reason"] == "RestoreFailed"],
        lambda: f"the Event; {[event['reason'] for event in place.events(SESSION)]}\n{again}",
        120,
    )
    told = next(event for event in place.events(SESSION) if event["reason"] == "RestoreFailed")
    assert told["type"] == "Warning"
    assert told["message"].count("the archive is not what was saved") == 1, "said once"
    if left or copy:
        cluster.wait_state("Connected")
        restored = cluster.session()["restored"]
        assert (restored["generation"], restored["fallback"]) == (2 if copy else 1, True)  # type: ignore[index] # an object
        assert home.simulator.admin.device(device).logins == 2, "no code was asked for"
    else:
        cluster.wait_state("AwaitingLink")
        place.wait_phase(SESSION, "AwaitingLink", "RestoreFailed")
        assert "2 and 1" in str(cluster.session()["lastError"])
