"""Stores are checked by short pods, and their status says what is known."""

from datetime import timedelta

import pytest

from fakes.kube import Killed
from scenes.operator import samples
from scenes.operator.store_samples import DOWN
from scenes.operator.stores import CHECK_POD, KEY, STORE, Stores
from whatsapp_kube.errors import Conflict, Refused
from whatsapp_kube.requests import Ref
from whatsapp_operator.observed.state import Key, StoreReport
from whatsapp_session import names


def test_a_store_is_checked_once_and_then_left_alone() -> None:
    stores = Stores()
    assert stores.look() == 1
    assert stores.available == ("Unknown", "PodStarting")
    assert Ref("ServiceAccount", samples.NAMESPACE, "wa-worker-default") in stores.kube.objects
    stores.settle()
    assert stores.available == ("True", "StoreAnswered")
    assert CHECK_POD not in stores.kube.objects
    before = stores.kube.writes
    assert stores.look() == 3600
    assert stores.kube.writes == before


def test_a_restarted_operator_does_not_check_again() -> None:
    stores = Stores()
    stores.settle()
    stores.restart()
    before = stores.kube.writes
    stores.look()
    assert stores.kube.writes == before


def test_a_changed_store_is_checked_again() -> None:
    stores = Stores()
    stores.settle()
    stores.kube.touch(STORE, lambda store: store["metadata"].update(generation=2))
    assert stores.look() == 1
    assert stores.available == ("Unknown", "PodStarting")
    stores.settle()
    assert stores.available == ("True", "StoreAnswered")


def test_a_missing_claim_is_named_and_no_pod_is_made() -> None:
    stores = Stores()
    del stores.kube.objects[Ref("PersistentVolumeClaim", samples.NAMESPACE, "archives")]
    assert stores.look() == 10
    assert stores.available == ("False", "StoreUnavailable")
    assert "the PVC 'archives' does not exist" in str(stores.kube.objects[STORE]["status"])
    assert CHECK_POD not in stores.kube.objects


@pytest.mark.parametrize(
    ("said", "reason"),
    [("exceeded quota: pods", "QuotaExceeded"), ("violates PodSecurity", "InvalidPodTemplate")],
    ids=["quota", "standard"],
)
def test_a_refused_pod_is_explained_and_tried_again_after_a_pause(said: str, reason: str) -> None:
    stores = Stores()
    stores.kube.refuse = lambda manifest: said if manifest["kind"] == "Pod" else None
    assert stores.look() == 15
    assert stores.available == ("False", reason)
    writes = stores.kube.writes
    assert stores.look() == 15
    assert stores.kube.writes == writes


@pytest.mark.parametrize(
    ("kind", "verb"),
    [
        ("ServiceAccount", "apply"),
        ("Pod", "create"),
        ("Pod", "get"),
        ("PersistentVolumeClaim", "get"),
        ("Pod", "delete"),
        (names.STORE_KIND, "finalize"),
        (names.SESSION_KIND, "list"),
    ],
)
def test_a_store_says_once_what_is_refused_to_it_and_goes_on_later(kind: str, verb: str) -> None:
    stores = Stores()
    stores.kube.objects[STORE]["metadata"]["finalizers"] = [names.FINALIZER_STORE]
    denied = [(kind, verb)]
    stores.kube.deny = lambda asked: Refused(403, "no", asked) if (asked.kind, asked.verb) in denied else None
    stores.settle()
    stores.look()
    writes = stores.kube.writes
    stores.look()
    assert stores.kube.writes == writes
    conditions = {item["type"]: item for item in stores.kube.objects[STORE]["status"]["conditions"]}
    assert conditions["Ready"]["status"] == "False"
    assert kind.lower() in conditions["Stalled"]["message"].lower()
    denied.clear()
    stores.clock.time += timedelta(seconds=60)
    stores.settle()
    assert stores.available == ("True", "StoreAnswered")


def test_what_workers_say_reaches_the_status() -> None:
    stores = Stores()
    stores.settle()
    session = Key(samples.NAMESPACE, "support")
    assert stores.operator.record(session, KEY, StoreReport("support", DOWN)) == [KEY]
    stores.look()
    assert stores.available == ("False", "StoreUnavailable")
    assert stores.operator.record(session, KEY, StoreReport("support")) == [KEY]
    stores.look()
    assert stores.available == ("True", "StoreAnswered")


def test_a_store_that_is_gone_or_goes_is_left_alone() -> None:
    stores = Stores()
    stores.kube.touch(STORE, lambda store: store["metadata"].update(deletionTimestamp=samples.NOON))
    before = stores.kube.writes
    assert stores.look() is None
    del stores.kube.objects[STORE]
    assert stores.look() is None
    assert stores.kube.writes == before


def test_a_store_that_was_made_again_meanwhile_does_not_get_its_predecessors_status() -> None:
    stores = Stores()
    stores.settle()
    # What was found of the first is about to be written.
    stores.operator.record(Key(samples.NAMESPACE, "support"), KEY, StoreReport("support", DOWN))

    def make_again(number: int) -> None:
        if stores.kube.calls[number] == "apply SessionStore/default":
            del stores.kube.objects[STORE]
            made = samples.store_resource()
            del made["status"]
            stores.kube.put(made)

    stores.kube.before_call = make_again
    with pytest.raises(Conflict):
        stores.look()
    assert "status" not in stores.kube.objects[STORE]


def test_an_operator_killed_at_any_call_finishes_later() -> None:
    undisturbed = Stores()
    undisturbed.settle()
    for number in range(len(undisturbed.kube.calls)):
        for hook in ("before_call", "after_call"):
            stores = Stores()

            def kill(call: int, when: int = number) -> None:
                if call == when:
                    raise Killed

            setattr(stores.kube, hook, kill)
            try:
                stores.settle()
            except Killed:
                stores.restart()
            stores.settle()
            assert stores.available == ("True", "StoreAnswered"), (number, hook)
            assert CHECK_POD not in stores.kube.objects


def test_a_check_whose_node_is_lost_is_followed_by_another() -> None:
    stores = Stores()
    stores.look()
    lost = stores.kube.objects[CHECK_POD]["metadata"]["uid"]

    def placed(pod: dict[str, dict[str, str]]) -> None:
        pod["spec"]["nodeName"] = "lost"

    stores.kube.touch(CHECK_POD, placed)
    for _ in range(30):
        stores.clock.time += timedelta(seconds=20)
        stores.look()
        if stores.kube.objects.get(CHECK_POD, {}).get("metadata", {}).get("uid") != lost:
            break
    else:
        raise AssertionError(f"the pod of the lost node stays: {stores.kube.calls[-10:]}")
    stores.settle()
    assert stores.available == ("True", "StoreAnswered")
