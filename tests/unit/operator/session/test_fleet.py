"""Several sessions at once: how many start, how an upgrade replaces them, and what reaches one that waits."""

import dataclasses

from scenes.operator import samples
from scenes.operator.cluster import run, set_spec
from scenes.operator.fleet import Fleet
from whatsapp_kube.requests import Ref
from whatsapp_operator.observed.state import Key
from whatsapp_session import names


def gone(fleet: Fleet) -> None:
    """Play the kubelet: what was stopping has stopped."""
    objects = fleet.cluster.kube.objects.items()
    fleet.cluster.kube.objects = {ref: item for ref, item in objects if "deletionTimestamp" not in item["metadata"]}


def twenty() -> tuple[Fleet, list[Key]]:
    """Return twenty connected sessions."""
    fleet = Fleet()
    keys = fleet.make(20)
    for _ in range(4):
        fleet.look(keys)
        fleet.connect(keys)
    fleet.look(keys)
    return fleet, keys


def test_only_so_many_pods_start_at_once_and_the_rest_follow() -> None:
    fleet = Fleet()
    keys = fleet.make(15)
    fleet.look(keys)
    assert len(fleet.pods()) == 10
    fleet.connect(keys)
    fleet.look(keys)
    fleet.look(keys)
    assert len(fleet.pods()) == 15


def test_an_upgrade_replaces_a_tenth_at_a_time_and_halts_when_they_do_not_come_back() -> None:
    fleet, keys = twenty()
    fleet.cluster.defaults = dataclasses.replace(samples.DEFAULTS, image="worker:2")
    fleet.cluster.restarted()
    fleet.look(keys)
    assert len(fleet.pods()) == 18
    for _ in range(3):
        fleet.look(keys)
    assert len(fleet.pods()) == 18
    gone(fleet)
    fleet.look(keys)
    fleet.connect(keys)
    fleet.look(keys)
    fleet.look(keys)
    images = [pod["spec"]["containers"][0]["image"] for pod in fleet.pods()]
    assert (images.count("worker:1"), images.count("worker:2")) == (16, 2)


def upgrade(fleet: Fleet) -> None:
    """Let another operator follow that gives every pod another template."""
    fleet.cluster.defaults = dataclasses.replace(samples.DEFAULTS, extra_browser_args=("--new",))
    fleet.cluster.restarted()


def replaced_in_vain(fleet: Fleet, keys: list[Key]) -> None:
    """Let pods be replaced by such as cannot pull their image."""
    fleet.look(keys)
    gone(fleet)
    fleet.look(keys)
    assert len(fleet.pods()) == 20
    for key in keys:
        pod = fleet.cluster.kube.objects[Ref("Pod", key.namespace, names.pod(key.name))]
        pod["status"] = samples.waiting("ImagePullBackOff", "no such image")
    fleet.look(keys)


def break_two(fleet: Fleet, keys: list[Key]) -> list[Key]:
    """Play a user who gives two sessions an image that cannot be pulled."""
    template = {"spec": {"containers": [{"name": "worker", "image": "none:1"}]}}
    for key in keys[:2]:
        fleet.cluster.change(Ref(names.SESSION_KIND, key.namespace, key.name), set_spec(podTemplate=template))
    replaced_in_vain(fleet, keys[:2])
    return keys[:2]


def test_what_a_user_breaks_during_an_upgrade_does_not_halt_it() -> None:
    fleet, keys = twenty()
    upgrade(fleet)
    break_two(fleet, keys)
    fleet.look(keys)
    assert len(fleet.pods()) == 18


def test_what_was_broken_before_an_upgrade_does_not_halt_it() -> None:
    fleet, keys = twenty()
    broken = break_two(fleet, keys)
    upgrade(fleet)
    replaced_in_vain(fleet, broken)
    fleet.look(keys)
    assert len(fleet.pods()) == 18


def pair_to_upgrade() -> tuple[Fleet, Key, Key]:
    """Return two connected sessions whose next operator brings another image."""
    fleet = Fleet()
    first, second = fleet.make(2)
    for _ in range(3):
        fleet.look([first, second])
        fleet.connect([first, second])
    fleet.cluster.defaults = dataclasses.replace(samples.DEFAULTS, image="worker:2")
    return fleet, first, second


def test_two_sessions_that_ask_the_server_at_the_same_time_do_not_both_take_the_last_place() -> None:
    fleet, first, second = pair_to_upgrade()
    operator, kube = fleet.cluster.restarted(), fleet.cluster.kube
    interrupted: list[int] = []

    def meanwhile(number: int) -> None:
        # The dry run has no name of its own yet.
        if kube.calls[number] == "create Pod/" and not interrupted:
            interrupted.append(number)
            run(operator.reconcile(second))

    kube.before_call = meanwhile
    run(operator.reconcile(first))
    assert interrupted
    assert len(fleet.pods()) == 1


def test_a_request_reaches_a_worker_that_waits_for_its_turn_to_be_replaced() -> None:
    fleet, first, second = pair_to_upgrade()
    fleet.cluster.restarted()
    request, time = names.request_annotation("save"), "2026-01-01T12:04:00Z"
    session = Ref(names.SESSION_KIND, second.namespace, second.name)
    fleet.cluster.change(session, lambda item: item["metadata"].update(annotations={request: time}))
    fleet.look([first, second])
    assert len(fleet.pods()) == 1, "one at a time"
    lease = fleet.cluster.kube.objects[Ref("Lease", second.namespace, names.lease(second.name))]
    assert lease["metadata"]["annotations"][request] == time
