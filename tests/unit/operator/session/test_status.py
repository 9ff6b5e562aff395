"""Conditions and phase are those of the design's table."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scenes.operator import samples
from whatsapp_operator.manifests import worker_pod
from whatsapp_operator.observed.state import Last, Observed, Problem
from whatsapp_operator.session import status, termination
from whatsapp_session.conditions import ConditionStatus, ConditionType, Phase, Reason, SessionState

CONCEPTS = Path(__file__).parents[4] / "deploy" / "docs" / "concepts.md"
SEEN: dict[str, Any] = {"account": {"hash": "aa"}, "saved": {"generation": 1}}
LAST: dict[str, Any] = {"linked": True, "saved": True, "accountHash": "aa"}


def ended(code: int, reason: str) -> Observed:
    """Return a session whose worker has ended and whose pod has gone."""
    last = LAST | {"endReason": reason, "exitCode": code, "endTime": samples.NOON, "templateHash": "hash"}
    return Observed(samples.session(status={"worker": {"last": last}}), None, samples.store())


SITUATIONS: dict[str, Observed] = {
    "Pending": Observed(samples.session(), None, None),
    "Starting": dataclasses.replace(samples.observed("Claiming")),
    "Restoring": samples.observed("Restoring"),
    "AwaitingLink": samples.observed("AwaitingLink"),
    "Syncing": samples.observed("Syncing"),
    "Connected": samples.observed("Connected", **SEEN),
    "Reconnecting": samples.observed("Reconnecting", **SEEN),
    "Frozen": samples.observed("Frozen", **SEEN),
    "Conflict": samples.observed("Conflict", **SEEN),
    "Suspended": Observed(samples.session({"operatingMode": "Suspended"}), None, samples.store()),
    "LinkExpired": ended(0, "QRExpired"),
    "LoggedOut": ended(0, "LoggedOutFromPhone"),
    "Failed": ended(3, "ArchiveMissing"),
}


def conditions(observed: Observed) -> tuple[Phase, dict[str, tuple[str, str]]]:
    """Return the phase and each condition's status and reason."""
    phase, found = status.conditions(observed, "hash")
    return phase, {str(item.type): (str(item.status), str(item.reason)) for item in found}


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield phase, condition and cell of each row of the table in concepts.md, without what its reader does then."""
    table = re.search(r"^\| phase \| Ready .*?\n\n", CONCEPTS.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert table is not None, "concepts.md holds the table of phases and conditions"
    lines = [line.strip("| ").split(" | ")[:-1] for line in table[0].strip().splitlines()]
    head = lines[0]
    for line in lines[2:]:
        for phase in re.sub(r"\(.*?\)", "", line[0]).split(","):
            for kind, cell in zip(head[1:], line[1:], strict=True):
                if kind != "kstatus":
                    yield phase.strip(), kind, cell


@pytest.mark.parametrize(("phase", "kind", "cell"), list(rows()), ids=lambda value: str(value))
def test_a_cell_of_the_table_holds(phase: str, kind: str, cell: str) -> None:
    found_phase, found = conditions(SITUATIONS[phase])
    assert found_phase == phase
    match cell:
        case "-":
            assert kind not in found
        case "as known" | "as is":
            assert kind in found
        case "True / False: reason":
            assert found[kind][0] in ("True", "False")
        case _:
            value, _, reasons = cell.partition(": ")
            assert found[kind][0] == value
            if reasons and reasons != "reason":
                assert found[kind][1] in reasons.split(" / ")


def test_the_table_has_a_row_for_each_phase() -> None:
    assert {phase for phase, _, _ in rows()} == {str(phase) for phase in Phase} == {str(key) for key in status.TABLE}


@pytest.mark.parametrize("state", list(SessionState))
def test_every_state_of_a_worker_has_a_phase(state: SessionState) -> None:
    phase, _ = conditions(samples.observed(str(state)))
    assert phase in Phase


def test_what_was_known_outlives_the_worker() -> None:
    session = samples.session({"operatingMode": "Suspended"}, {"worker": {"last": LAST}})
    _, found = conditions(Observed(session, None, samples.store()))
    assert found["Linked"] == ("True", "DeviceLinked")
    assert found["Saved"] == ("True", "ArchiveVerified")


def test_what_was_never_known_is_unknown() -> None:
    _, found = conditions(Observed(samples.session(), samples.pod(), samples.store()))
    assert found["Linked"][0] == found["Saved"][0] == found["StoreAvailable"][0] == "Unknown"


def test_an_overdue_backup_is_not_saved_though_connected() -> None:
    saved = {"generation": 4, "overdueSince": samples.NOON}
    _, found = conditions(samples.observed("Connected", saved=saved))
    assert found["Connected"] == ("True", "SocketConnected")
    assert found["Saved"] == ("False", "BackupOverdue")


def test_a_store_that_does_not_answer_is_named() -> None:
    trouble = {"reason": "StoreUnavailable", "message": "no route"}
    saved = {"generation": 4, "overdueSince": samples.NOON}
    _, found = conditions(samples.observed("Connected", saved=saved, lastError=trouble))
    assert found["Saved"] == ("False", "StoreUnavailable")
    assert found["StoreAvailable"] == ("False", "StoreUnavailable")


def test_a_logout_is_still_said_while_a_new_code_waits() -> None:
    trouble = {"reason": "LoggedOutFromPhone", "message": "removed on the phone"}
    _, found = conditions(samples.observed("AwaitingLink", lastError=trouble))
    assert found["Linked"] == ("False", "LoggedOutFromPhone")


@pytest.mark.parametrize(
    ("strategy", "kinds"),
    [
        ("NoAuth", {"Ready", "Linked", "Connected"}),
        ("LocalAuth", {"Ready", "Linked", "Connected", "Saved"}),
        ("RemoteAuth", {"Ready", "Linked", "Connected", "Saved", "StoreAvailable"}),
    ],
)
def test_conditions_of_what_a_strategy_does_not_have_are_absent(strategy: str, kinds: set[str]) -> None:
    member: dict[str, Any] = {"localAuth": {}} if strategy == "LocalAuth" else {}
    observed = samples.observed("Connected", {"auth": {"strategy": strategy, **member}}, **SEEN)
    _, found = conditions(observed)
    assert found.keys() == kinds


def test_a_profile_on_a_claim_counts_as_saved() -> None:
    observed = samples.observed("Connected", {"auth": {"strategy": "LocalAuth", "localAuth": {}}}, **SEEN)
    assert conditions(observed)[1]["Saved"] == ("True", "ProfileOnClaim")


def test_what_another_pod_wrote_is_ignored() -> None:
    said = samples.report("Connected", **SEEN)
    said["session"]["podUID"] = "another"
    phase, _ = conditions(Observed(samples.session(status=said), samples.pod(), samples.store()))
    assert phase == "Starting"


def test_what_a_container_wrote_before_its_restart_is_ignored() -> None:
    later = samples.pod(**samples.running("2026-01-01T12:30:00Z", restarts=1))
    observed = Observed(samples.session(status=samples.report("Connected", **SEEN)), later, samples.store())
    assert conditions(observed)[0] == "Starting"
    assert status.report_is_stale(observed)


@pytest.mark.parametrize(
    ("pod_status", "phase", "reason"),
    [
        (samples.waiting("ContainerCreating"), "Starting", "PodStarting"),
        (samples.waiting("ErrImagePull", "no such image"), "Failed", "ImagePullFailed"),
        (samples.waiting("CreateContainerConfigError", 'secret "a" not found'), "Failed", "SecretNotFound"),
        (samples.waiting("CrashLoopBackOff", ended={"exitCode": 1}), "Failed", "CrashLoop"),
        (samples.waiting("CrashLoopBackOff", ended={"exitCode": 137, "reason": "OOMKilled"}), "Failed", "OutOfMemory"),
        (samples.terminated(3, '{"reason": "StoreSessionInUse"}', "Failed"), "Failed", "StoreSessionInUse"),
        (samples.terminated(137, "", "Failed"), "Failed", "CrashLoop"),
    ],
    ids=str,
)
def test_a_pod_that_does_not_run_is_explained(pod_status: samples.Manifest, phase: str, reason: str) -> None:
    found_phase, found = conditions(Observed(samples.session(), samples.pod(**pod_status), samples.store()))
    assert found_phase == phase
    assert found["Ready"] == ("False", reason)


PHONE = {"linking": {"method": "PairingCode", "phoneNumberSecretRef": {"name": "phone", "key": "number"}}}
ABSENT = '{"reason": "SecretNotFound", "message": "the file that WHATSAPP_PHONE_NUMBER_FILE names cannot be read"}'


def test_a_secret_that_the_worker_misses_is_named() -> None:
    pod = samples.pod(**samples.waiting("CrashLoopBackOff", ended={"exitCode": 1, "message": ABSENT}))
    phase, found = status.conditions(Observed(samples.session(PHONE), pod, samples.store()), "hash")
    assert (phase, found[0].reason) == ("Failed", "SecretNotFound")
    assert "the session needs the Secret 'phone' with the key 'number'" in found[0].message


def test_a_secret_that_the_stores_check_misses_is_named_while_the_pod_waits_for_it() -> None:
    trouble = Problem(Reason.SECRET_NOT_FOUND, "the store's Secret lacks the key uri")
    store = dataclasses.replace(samples.store(), problem=trouble)
    pod = samples.pod(**samples.waiting("ContainerCreating"))
    phase, found = status.conditions(Observed(samples.session(), pod, store), "hash")
    assert (phase, found[0].reason, found[0].message) == ("Failed", "SecretNotFound", trouble.message)


def test_a_pod_that_waits_for_its_volumes_says_which() -> None:
    ref = {"name": "phone", "key": "number"}
    session = samples.session({"linking": {"method": "PairingCode", "phoneNumberSecretRef": ref}})
    made = worker_pod.pod(session, samples.store(), samples.DEFAULTS)
    observed = Observed(session, samples.pod(made, **samples.waiting("ContainerCreating")), samples.store())
    _, found = status.conditions(observed, "hash")
    assert "the PVC 'archives' and the Secret 'phone' with the key 'number'" in found[0].message


def test_a_pod_that_waits_for_a_secret_of_its_store_says_what_the_stores_check_found() -> None:
    condition = {
        "type": "StoreAvailable",
        "status": "False",
        "reason": "SecretNotFound",
        "message": "no Secret 'login'",
    }
    store = samples.store({"conditions": [condition]}, s3={"bucket": "a", "credentialsSecretRef": {"name": "login"}})
    made = worker_pod.pod(samples.session(), store, samples.DEFAULTS)
    seen = Observed(samples.session(), samples.pod(made, **samples.waiting("ContainerCreating")), store)
    phase, found = status.conditions(seen, "hash")
    assert phase is Phase.FAILED
    assert (found[0].reason, found[0].message) == (Reason.SECRET_NOT_FOUND, "no Secret 'login'")
    waits = dataclasses.replace(seen, store=dataclasses.replace(store, problem=None))
    message = status.conditions(waits, "hash")[1][0].message
    assert "it needs the Secret 'login' with the key 'accessKeyId, secretAccessKey'" in message


def test_a_refusal_of_the_server_is_explained() -> None:
    refusal = Problem(Reason.QUOTA_EXCEEDED, "no room")
    observed = dataclasses.replace(samples.observed(), refusal=refusal)
    assert conditions(observed)[1]["Reconciling"] == ("True", "QuotaExceeded")


def test_the_log_text_of_a_crash_is_not_repeated() -> None:
    crash = samples.waiting("CrashLoopBackOff", ended={"exitCode": 1, "message": "Traceback: token=secret"})
    _, found = status.conditions(Observed(samples.session(), samples.pod(**crash), samples.store()), "hash")
    assert not any("secret" in item.message for item in found)


def test_transition_times_change_with_the_status_only() -> None:
    first = status.own_status(samples.observed("AwaitingLink"), "hash", "2026-01-01T12:00:00Z")
    session = samples.session(status=samples.report("Connected", **SEEN) | first)
    observed = Observed(session, samples.pod(), samples.store())
    second = status.own_status(observed, "hash", "2026-01-01T13:00:00Z")
    times = {item["type"]: item["lastTransitionTime"] for item in second["conditions"]}
    assert times["Ready"] == "2026-01-01T12:00:00Z"
    assert times["Linked"] == "2026-01-01T13:00:00Z"


def test_nothing_is_written_when_nothing_changed() -> None:
    observed = samples.observed("Connected", **SEEN)
    own = status.own_status(observed, "hash", samples.NOON)
    assert status.differs({}, own)
    again = dataclasses.replace(observed, session=samples.session(status=samples.report("Connected", **SEEN) | own))
    assert not status.differs(again.session.status, status.own_status(again, "hash", "2026-01-02T00:00:00Z"))


def test_a_session_that_is_newly_linked_is_not_saved_by_an_older_archive() -> None:
    known = termination.remember(samples.observed("AwaitingLink", saved={"generation": 7}))
    assert known == Last(linked=False, saved=False, store="default")


def test_kstatus_sees_one_flag_at_most() -> None:
    for observed in SITUATIONS.values():
        _, found = conditions(observed)
        assert not ({ConditionType.RECONCILING, ConditionType.STALLED} <= found.keys())
        assert (found["Ready"][0] == ConditionStatus.FALSE) == bool({"Reconciling", "Stalled"} & found.keys())


def test_what_exceeds_the_users_limits_is_a_condition_only_while_it_does() -> None:
    warnings = [{"reason": "MemoryHigh", "message": "worker and browser take 3000 MB"}]
    _, found = conditions(samples.observed("Connected", warnings=warnings, **SEEN))
    assert found["Oversized"] == (ConditionStatus.TRUE, Reason.MEMORY_HIGH)
    assert found["Ready"][0] == ConditionStatus.TRUE, "told, and nothing done about it"
    assert "Oversized" not in conditions(samples.observed("Connected", **SEEN))[1]


def test_a_link_that_needs_a_passkey_says_so_in_its_condition() -> None:
    trouble = {"reason": "PasskeyRequired", "message": "WhatsApp asks for a passkey"}
    _, found = conditions(samples.observed("AwaitingLink", lastError=trouble))
    assert found["Linked"] == (ConditionStatus.FALSE, Reason.PASSKEY_REQUIRED)


CHANGED = {"reason": "PageContractBroken", "message": "WhatsApp changed its page: X.y is missing"}


@pytest.mark.parametrize("state", ["Launching", "AwaitingLink", "Syncing", "Connected", "Reconnecting"])
def test_what_whatsapp_changed_of_its_page_is_shown_in_every_phase(state: str) -> None:
    _, found = status.conditions(samples.observed(state, lastError=CHANGED), "hash")
    assert any("X.y is missing" in item.message for item in found)
