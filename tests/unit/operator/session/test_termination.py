"""What is remembered of a worker that ended."""

import dataclasses
from typing import Any

import pytest

from scenes.operator import samples
from whatsapp_operator.observed.pod_parsing import parse_pod
from whatsapp_operator.observed.state import Last, Observed
from whatsapp_operator.session import termination
from whatsapp_operator.session.termination import NextStart
from whatsapp_session.conditions import Reason


def after(code: int, message: str = "", last: dict[str, Any] | None = None, **more: Any) -> Last:
    """Return what is remembered after an end."""
    phase = "Succeeded" if code == 0 else "Failed"
    pod = samples.pod(**samples.terminated(code, message, phase, **more))
    session = samples.session(status={"worker": {"last": last or {}}})
    return termination.remember(Observed(session, pod, samples.store()))


def test_the_workers_last_words_are_kept() -> None:
    last = after(3, '{"reason": "ArchiveMissing", "message": "there is none", "exitCode": 3}')
    assert (last.end_reason, last.end_message, last.exit_code) == ("ArchiveMissing", "there is none", 3)
    assert (last.end_time, last.pod_uid, last.failures) == (samples.NOON, samples.POD_UID, 1)


@pytest.mark.parametrize("text", ["", "Traceback: secret", "[1]", '{"reason": "Invented"}'], ids=str)
def test_last_words_that_are_not_understood_are_a_crash_and_not_repeated(text: str) -> None:
    last = after(1, text)
    assert (last.end_reason, last.end_message) == ("CrashLoop", None)


def test_the_same_end_is_counted_once() -> None:
    first = after(1)
    again = after(1, last={"failures": 1, "endReason": "CrashLoop", "podUID": samples.POD_UID, "endTime": samples.NOON})
    assert (first.failures, again.failures) == (1, 1)


def test_ends_in_a_row_are_counted() -> None:
    assert after(1, last={"failures": 2, "endReason": "CrashLoop", "podUID": "older"}).failures == 3
    assert after(1, last={"failures": 2, "endReason": "OutOfMemory", "podUID": "older"}).failures == 1


def test_a_worker_that_ran_long_begins_a_new_count() -> None:
    last = {"failures": 5, "endReason": "CrashLoop", "podUID": "older"}
    assert after(1, last=last, startedAt="2026-01-01T11:00:00Z").failures == 1


def test_a_healthy_worker_ends_the_count_and_keeps_what_is_known() -> None:
    status = samples.report("Connected", account={"hash": "aa"}, saved={"generation": 1})
    status["worker"]["last"] = {"failures": 5, "endReason": "CrashLoop", "endTime": samples.NOON}
    observed = Observed(samples.session(status=status), samples.pod(), samples.store())
    assert termination.remember(observed) == Last(account_hash="aa", linked=True, saved=True, store="default")


def test_an_account_is_known_from_its_first_save_until_its_login_is_gone() -> None:
    def known(state: str, before: str | None, **report: object) -> str | None:
        status = samples.report(state, **report)
        status["worker"]["last"] = {} if before is None else {"accountHash": before}
        return termination.remember(
            Observed(samples.session(status=status), samples.pod(), samples.store())
        ).account_hash

    account, saved = {"hash": "bb"}, {"generation": 1}
    assert known("Connected", None, account=account) is None, "not saved yet: a kill now is followed by a new code"
    assert known("Connected", None, account=account, saved=saved) == "bb"
    assert known("Connected", "aa", account=account, saved=saved) == "bb"
    assert known("Restoring", None, account=account, saved=saved) == "bb"
    assert known("Syncing", "aa") == "aa"
    assert known("Frozen", "aa") == "aa"
    for state in ("AwaitingLink", "LoggedOut", "LinkExpired"):
        assert known(state, "aa") is None, "a session that holds no login must not be held to one"


def test_suspending_forgets_why_the_worker_ended() -> None:
    status = {"worker": {"last": {"endReason": "ArchiveMissing", "endTime": samples.NOON, "linked": True}}}
    observed = Observed(samples.session({"operatingMode": "Suspended"}, status), None, samples.store())
    assert termination.remember(observed) == Last(linked=True)


def test_a_logout_leaves_no_link_behind() -> None:
    last = after(0, '{"reason": "LoggedOutFromPhone"}', {"linked": True, "saved": True, "accountHash": "aa"})
    assert (last.linked, last.saved, last.account_hash) == (False, False, None)


def test_an_archive_saved_before_a_lost_connection_still_counts() -> None:
    status = samples.report("Reconnecting") | {"worker": {"podUID": samples.POD_UID, "last": {"saved": True}}}
    observed = Observed(samples.session(status=status), samples.pod(), samples.store())
    assert termination.remember(observed).saved is True


def failed(word: str, code: int | None, message: str = "", **more: Any) -> Last:
    """Return what is remembered of a pod that failed as a whole, with what its container left if it ever ran."""
    status = {"phase": "Failed"} if code is None else samples.terminated(code, message, "Failed", **more)
    pod = samples.pod(**status, reason=word, message="The node was low on resource: memory.")
    return termination.remember(Observed(samples.session(), pod, samples.store()))


@pytest.mark.parametrize(
    ("last", "reason", "code"),
    [
        (failed("Evicted", 137), Reason.EVICTED, 137),
        (failed("Evicted", None), Reason.EVICTED, 1),
        (failed("Evicted", 0), Reason.EVICTED, 0),
        (failed("Terminated", 1), Reason.EVICTED, 1),
        (failed("Preempting", 137), Reason.EVICTED, 137),
        (failed("NodeShutdown", None), Reason.EVICTED, 1),
        (failed("OutOfcpu", None), Reason.UNSCHEDULABLE, 1),
        (failed("UnexpectedAdmissionError", None), Reason.UNSCHEDULABLE, 1),
        (failed("DeadlineExceeded", 137), Reason.CRASH_LOOP, 137),
        (failed("Evicted", 3, '{"reason": "ArchiveMissing"}'), Reason.ARCHIVE_MISSING, 3),
        (failed("Error", 137, reason="OOMKilled"), Reason.OUT_OF_MEMORY, 137),
        (failed("Error", 1), Reason.CRASH_LOOP, 1),
    ],
    ids=[
        "evicted", "before anything ran", "it still saved", "shutdown", "for a critical pod", "refused in a shutdown",
        "no room after all", "admission", "deadline", "the worker's own word", "memory", "crashed",
    ],
)  # fmt: skip
def test_what_the_node_did_to_a_pod_is_no_crash_of_its_worker(last: Last, reason: Reason, code: int) -> None:
    assert (last.end_reason, last.exit_code) == (reason, code)


def test_an_evicted_session_says_what_the_node_said_and_starts_again_after_a_pause() -> None:
    last = failed("Evicted", 137)
    assert "(Evicted): The node was low on resource: memory; free resources on the node" in (last.end_message or "")
    held = termination.start_blocked(samples.session(), last, last.template_hash)
    assert held is not None
    assert (held.next_start, held.pause, held.reason) == (NextStart.BACKOFF, 10, Reason.EVICTED)


def test_a_pod_that_ended_before_anything_ran_costs_a_pause_too() -> None:
    resource = samples.pod_resource(phase="Failed", reason="OutOfcpu")
    resource["metadata"]["creationTimestamp"] = samples.NOON
    refused = parse_pod(resource, samples.NAME, samples.UID)
    last = termination.remember(Observed(samples.session(), refused, samples.store()))
    held = termination.start_blocked(samples.session(), last, refused.template_hash)
    assert held is not None
    assert (held.next_start, held.pause) == (NextStart.BACKOFF, 10)


def test_a_worker_that_is_done_beside_a_sidecar_says_why() -> None:
    pod = samples.pod(**samples.terminated(0, '{"reason": "QRExpired", "message": "nobody"}', phase="Running"))
    last = termination.remember(Observed(samples.session(), pod, samples.store()))
    assert (last.end_reason, last.exit_code) == ("QRExpired", 0)


@pytest.mark.parametrize(
    ("code", "reason", "fate"),
    [
        (0, None, NextStart.AGAIN),
        (0, "Suspended", NextStart.AGAIN),
        (0, "QRExpired", NextStart.LINK_EXPIRED),
        (0, "LoggedOutFromPhone", NextStart.LOGGED_OUT),
        (0, "Superseded", NextStart.HELD),
        (2, None, NextStart.HELD),
        (3, "StoreUnfenced", NextStart.HELD),
        (4, "ClientOutdated", NextStart.BACKOFF),
        (1, None, NextStart.BACKOFF),
        (137, None, NextStart.BACKOFF),
    ],
    ids=str,
)
def test_the_fate_of_each_exit_code(code: int, reason: str | None, fate: NextStart) -> None:
    assert termination.next_start(code, reason) is fate


def test_a_foreign_pods_end_is_not_ours() -> None:
    observed = Observed(samples.session(), samples.pod(**samples.terminated(3)), samples.store())
    assert observed.pod is not None
    foreign = dataclasses.replace(observed, session=dataclasses.replace(observed.session, uid="other"))
    pod = parse_pod(samples.pod_resource(**samples.terminated(3)), "other-name", "other-uid")
    assert termination.remember(dataclasses.replace(foreign, pod=pod)) == Last()
