"""Who may claim a session, and how long the previous owner has to be waited out."""

import pytest

from whatsapp_worker import errors
from whatsapp_worker.repository import fencing, records

POD = records.Owner(cluster="c", namespace="n", session_uid="s", pod_uid="p1", host="wa-x")
OTHER_POD = records.Owner(cluster="c", namespace="n", session_uid="s", pod_uid="p2", host="wa-x")
RECREATED = records.Owner(cluster="c", namespace="n", session_uid="s2", pod_uid="p3", host="wa-x")
OTHER_CLUSTER = records.Owner(cluster="c2", namespace="n", session_uid="s", pod_uid="p4", host="wa-x")
LAPTOP = records.Owner(host="h", boot_id="b", pid=1, start_time=1.0, data_path="/d")
LAPTOP_AGAIN = records.Owner(host="h", boot_id="b", pid=2, start_time=2.0, data_path="/d")
OTHER_PATH = records.Owner(host="h", boot_id="b", pid=3, start_time=3.0, data_path="/e")
NOTHING = fencing.ClaimEvidence()
CLAIM = records.Claim(60)


def record(owner: records.Owner, body: records.Body = CLAIM) -> records.Record:
    return records.Record(7, "2026-01-01T00:00:00.000Z", "n", owner, body)


@pytest.mark.parametrize(
    ("head", "me", "known", "waits"),
    [
        pytest.param(None, POD, NOTHING, False, id="an empty log"),
        pytest.param(record(POD), POD, NOTHING, False, id="the same pod, its container restarted"),
        pytest.param(record(POD), OTHER_POD, NOTHING, True, id="another pod of the session"),
        pytest.param(
            record(POD), OTHER_POD, fencing.ClaimEvidence(terminated_pod_uid="p1"), False, id="known to be gone"
        ),
        pytest.param(
            record(POD), OTHER_POD, fencing.ClaimEvidence(terminated_pod_uid="p0"), True, id="another is gone"
        ),
        pytest.param(record(POD, records.Release()), OTHER_CLUSTER, NOTHING, False, id="released: anybody"),
        pytest.param(record(LAPTOP), LAPTOP_AGAIN, NOTHING, False, id="the same data path"),
        pytest.param(
            record(LAPTOP), OTHER_PATH, fencing.ClaimEvidence(process_gone=True), False, id="its process is gone"
        ),
        pytest.param(
            record(LAPTOP), OTHER_PATH, fencing.ClaimEvidence(take_over=True), True, id="taken over by a person"
        ),
        pytest.param(record(POD), LAPTOP, fencing.ClaimEvidence(take_over=True), True, id="a pod's, taken over"),
    ],
)
def test_a_claim_is_allowed(
    head: records.Record | None, me: records.Owner, known: fencing.ClaimEvidence, waits: bool
) -> None:
    assert fencing.must_wait(head, me, known) is waits


@pytest.mark.parametrize(
    ("head", "me"),
    [
        pytest.param(record(POD), RECREATED, id="a re-created resource"),
        pytest.param(record(POD), OTHER_CLUSTER, id="another cluster"),
        pytest.param(record(POD), LAPTOP, id="a laptop on a pod's session"),
        pytest.param(record(LAPTOP), POD, id="a pod on a laptop's session"),
        pytest.param(record(LAPTOP), OTHER_PATH, id="another data path, its process alive"),
        pytest.param(
            record(POD, records.Generation(1, "a", "d", 1, "c", "b", "w", "h", "t", "u")), LAPTOP, id="a save"
        ),
    ],
)
def test_a_foreign_owner_that_has_not_released_is_refused_by_name(head: records.Record, me: records.Owner) -> None:
    with pytest.raises(errors.SessionInUse, match=r"is in use by .* since its record of 2026-01-01T00:00:00\.000Z"):
        fencing.must_wait(head, me, NOTHING)


def test_the_wait_covers_the_old_owners_poll_the_stores_bound_and_a_margin() -> None:
    back = [record(POD, records.Release()), record(POD, records.Claim(90)), record(POD, records.Claim(30))]
    assert fencing.waiting_seconds(back, 60.0) == 90 + 60 + fencing.MARGIN


def test_two_pods_without_a_uid_are_never_the_same_place() -> None:
    nameless = records.Owner(cluster="c", session_uid="s")
    assert not nameless.same_place(nameless)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        pytest.param(records.Claim(60, wait_seconds=62.0), 62.0, id="claimed, and ended while it waited"),
        pytest.param(records.Release(62.0), 62.0, id="stopped while it waited"),
        pytest.param(records.Claim(60), 0.0, id="claimed with nobody before it"),
        pytest.param(records.Release(), 0.0, id="released after its wait"),
        pytest.param(records.Purge(), 0.0, id="did something since"),
    ],
)
def test_who_follows_a_claimer_that_had_not_waited_waits_in_its_place(body: records.Body, seconds: float) -> None:
    assert fencing.inherited_wait(record(POD, body)) == seconds
