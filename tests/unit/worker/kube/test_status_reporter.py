"""status.session, Events, terminal and JSON lines: what is told, and what never is."""

import asyncio
import io
import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.worker_kube import WorkerKube
from scenes import json_samples, schema_samples
from whatsapp_session import report_bounds
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_session.worker_config import ResourceIdentity
from whatsapp_worker.cli import terminal
from whatsapp_worker.core import actions, events, page_events, requests, status
from whatsapp_worker.core.state import (
    BrowserRun,
    Codes,
    Loading,
    Login,
    Page,
    PairingCode,
    Problem,
    Requests,
    Restored,
    Saved,
    Saving,
    ShownCode,
    State,
    Usage,
)
from whatsapp_worker.kube import pod, status_reporter
from whatsapp_worker.runtime import runner

REPORT = jsonschema.Draft7Validator(schema_samples.for_python(schema_samples.status_session()))
RESOURCE = ResourceIdentity("cluster", "bots", "support", "uid-session", "wa-support", "uid-pod", "node")
POD = status.Process("uid-pod", 2)
ACCOUNT = page_events.Account("4915112345678:3@c.us", "Support", "android")
SAVED = Saved(12, 1_767_225_600.0, 1834021, "digest", "Interval")
SHOWN = ShownCode("2@secret", 1_767_225_600.0, 1_767_225_660.0, 2)
AWAITING = State(SessionState.AWAITING_LINK, since=1_767_225_600.0, codes=Codes(SHOWN))
CONNECTED = State(
    SessionState.CONNECTED,
    since=1_767_225_600.0,
    login=Login(ACCOUNT, ACCOUNT.hash, restored=Restored(11, 1_767_225_500.0)),
    saving=Saving(SAVED),
    page=Page("2.3000.1"),
    browser=BrowserRun("156.0"),
)


def test_a_connected_session_is_told_in_full_and_its_number_masked() -> None:
    assert status.session(replace(CONNECTED, requests=Requests(handled={"save": "t"})), POD) == {
        "podUID": "uid-pod",
        "restartCount": 2,
        "state": "Connected",
        "stateSince": "2026-01-01T00:00:00Z",
        "account": {"id": "49***78@c.us", "pushName": "Support", "platform": "android", "hash": ACCOUNT.hash},
        "saved": {
            "generation": 12,
            "time": "2026-01-01T00:00:00Z",
            "bytes": 1834021,
            "sha256": "digest",
            "trigger": "Interval",
        },
        "restored": {"generation": 11, "time": "2025-12-31T23:58:20Z", "fallback": False},
        "webVersion": "2.3000.1",
        "browserVersion": "156.0",
        "handledRequests": {"save": "t"},
    }


def test_the_code_is_told_while_a_link_is_awaited_and_never_else() -> None:
    told = status.session(AWAITING, POD)
    assert told["qr"] == {
        "code": "2@secret",
        "issuedAt": "2026-01-01T00:00:00Z",
        "expiresAt": "2026-01-01T00:01:00Z",
        "attempt": 2,
    }
    for state in set(SessionState) - {SessionState.AWAITING_LINK}:
        assert "qr" not in status.session(replace(AWAITING, session_state=state), POD)


def test_nothing_is_null() -> None:
    def leaves(value: object) -> list[object]:
        if isinstance(value, dict):
            return [leaf for item in value.values() for leaf in leaves(item)]
        return [value]

    for shown in (State(), AWAITING, CONNECTED):
        assert None not in leaves(status.session(shown, POD))


def test_all_devices_of_an_account_have_one_hash() -> None:
    assert ACCOUNT.hash == page_events.Account("4915112345678@c.us").hash
    assert len(ACCOUNT.hash) == 16


@pytest.mark.parametrize("secret", ["2@secret", "4915112345678", "Support"])
def test_no_repr_holds_a_code_a_number_or_a_name(secret: str) -> None:
    assert secret not in repr((AWAITING, CONNECTED, page_events.Qr("2@secret"), actions.Emit("qr", ("2@secret",))))


class Told:
    """A reporter that runs beside the test."""

    def __init__(self) -> None:
        self.api = WorkerKube()
        self.reporter = status_reporter.StatusReporter(self.api, RESOURCE)
        self.task = asyncio.get_running_loop().create_task(self.reporter.run())

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.api.sessions) < count:  # noqa: ASYNC110  a predicate of the fake, not of the product
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_a_state_is_told_at_once_and_equal_content_only_once() -> None:
    told = Told()
    told.reporter.show(AWAITING)
    await told.until(1)
    told.reporter.show(replace(AWAITING, loading=Loading(failures=3)))
    told.reporter.show(CONNECTED)
    await told.until(2)
    await told.end()
    assert [session["state"] for session in told.api.sessions] == ["AwaitingLink", "Connected"]


async def test_refusals_before_the_operator_has_named_the_pod_are_repeated_until_it_has() -> None:
    told = Told()
    told.api.refuse = {"apply status": [403, 403, 0]}
    told.reporter.show(CONNECTED)
    await told.until(1)
    await told.end()


async def test_the_first_word_waits_for_what_the_store_says_is_saved() -> None:
    told = Told()
    told.reporter.show(State())
    for _ in range(20):  # the fake answers at once: what is told is told by then
        await asyncio.sleep(0)
    assert told.api.sessions == []
    told.reporter.show(CONNECTED)
    await told.until(1)
    await told.end()
    assert told.api.sessions[0]["saved"]["generation"] == 12


async def test_a_fault_while_the_store_is_silent_is_told_without_waiting() -> None:
    told = Told()
    told.reporter.show(State(problem=Problem(Reason.STORE_UNAVAILABLE, "ENOSPC")))
    await told.until(1)
    await told.end()


async def test_events_say_what_a_person_cares_about_once() -> None:
    told = Told()
    syncing = replace(CONNECTED, session_state=SessionState.SYNCING, saving=Saving())
    first = Saving(replace(SAVED, trigger="FirstLink"))
    faulty = replace(CONNECTED, saving=first, problem=Problem(Reason.SNAPSHOT_FAILED, "why"))
    again = replace(faulty, saving=replace(first, failures=2))
    for shown in (AWAITING, syncing, replace(CONNECTED, saving=Saving()), faulty, again):
        told.reporter.show(shown)
    await told.reporter.finish()
    await told.end()
    assert [(event["type"], event["reason"]) for event in told.api.events] == [
        ("Normal", "DeviceLinked"),
        ("Normal", "ArchiveVerified"),
        ("Warning", "SnapshotFailed"),
    ]
    event = told.api.events[0]
    assert event["involvedObject"]["name"] == "support"
    assert event["metadata"]["namespace"] == "bots"
    assert ACCOUNT.id not in json.dumps(told.api.events)


class Listening:
    """A client that hears requests."""

    def __init__(self) -> None:
        self.heard: list[requests.Request] = []

    def lease_renewed(self, asked: float) -> None:
        self.asked = asked

    def request(self, event: requests.Request) -> None:
        self.heard.append(event)


def lease(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {f"whatsapp-operator.dev/{name}": text for name, text in annotations.items()}}}


def test_what_stands_on_the_lease_reaches_the_session_at_each_look() -> None:
    board, client = pod.LeaseAnnotations(), Listening()
    board.see(lease(**{"known-account": "aa", "terminated-pod-uid": "uid-old"}))
    board.running = client  # type: ignore[assignment] # all that it needs of a client
    board.see({"metadata": {}}, 17.0)
    assert (board.asked, client.asked) == (17.0, 17.0)
    board.see(lease(**{"relink-requested-at": "2026-01-01T00:00:00Z", "save-requested-at": "2026-01-02T00:00:00Z"}))
    assert client.heard == [
        events.SaveRequested("2026-01-02T00:00:00Z"),
        events.RelinkRequested("2026-01-01T00:00:00Z"),
    ]
    assert board.notes().terminated_pod_uid == "uid-old", "the first look is what counts of the previous owner"
    assert board.notes().known_account == ""
    board.see(lease(**{"takeover-requested-at": "2026-01-03T00:00:00Z"}))
    assert client.heard[-1] == events.TakeOverRequested("2026-01-03T00:00:00Z")


def test_the_last_word_of_a_pod_is_json_for_the_operator() -> None:
    said = json.loads(pod.termination_message(runner.Outcome(ExitCode.STORE_REFUSED, Reason.ARCHIVE_MISSING, "gone")))
    assert said == {"reason": "ArchiveMissing", "message": "gone", "exitCode": 3}
    assert "reason" not in json.loads(pod.termination_message(runner.Outcome(ExitCode.DONE, None, "stopped")))


def test_the_terminal_draws_each_code_once_and_one_line_for_each_state() -> None:
    stream = io.StringIO()
    shown = terminal.Terminal(stream)
    for current in (State(), AWAITING, AWAITING, replace(AWAITING, loading=Loading(failures=1)), CONNECTED):
        shown.show(current)
    text = stream.getvalue()
    assert text.count("code 2, valid for about 60 s") == 1
    assert text.count("waiting for a phone") == 1
    assert "connected as 49***78@c.us" in text
    assert "2@secret" not in text, "drawn, not written"
    assert "saved: generation 12, 1.8 MB" in text


def test_json_lines_tell_states_saves_and_faults_without_the_code() -> None:
    stream = io.StringIO()
    lines = terminal.EventLines(stream)
    for current in (AWAITING, AWAITING, CONNECTED, replace(CONNECTED, problem=Problem(Reason.CONFLICT, "why"))):
        lines.show(current)
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in told] == ["state", "state", "saved", "fault"]
    assert "2@secret" not in stream.getvalue()


TEXT = json_samples.TEXT | st.sampled_from(["x" * 5000, "\U0001f469" * 5000, '"' * 5000])
TIMES = st.floats(-6e10, 2.5e11)
NUMBERS = st.integers(0, 10**30)


@given(message=TEXT)
def test_the_last_word_fits_the_kubelets_4096_bytes_in_any_language(message: str) -> None:
    written = pod.termination_message(runner.Outcome(ExitCode.STORE_REFUSED, Reason.ARCHIVE_MISSING, message))
    assert len(written.encode()) < 4096
    assert json.loads(written)["reason"] == "ArchiveMissing"


@st.composite
def states(draw: st.DrawFn) -> State:
    """Return any state: page, store and browser may say what they like."""
    problem = st.builds(Problem, st.sampled_from(Reason), TEXT, TIMES)
    raw = draw(st.fixed_dictionaries({"id": TEXT, "pushname": TEXT, "platform": TEXT}))
    qr = st.none() | st.builds(ShownCode, TEXT, TIMES, TIMES, NUMBERS)
    saved = st.none() | st.builds(Saved, NUMBERS, TIMES, NUMBERS, TEXT, TEXT)
    handled = st.dictionaries(TEXT | st.sampled_from(["save", "relink"]), TEXT, max_size=6)
    return State(
        session_state=draw(st.sampled_from(SessionState)),
        since=draw(TIMES),
        login=Login(
            account=draw(st.sampled_from([None, page_events.facts({"account": raw}).account])),
            known_hash=draw(TEXT),
            restored=draw(st.none() | st.builds(Restored, NUMBERS, TIMES)),
        ),
        codes=Codes(qr=draw(qr), pairing=draw(st.none() | st.builds(PairingCode, TEXT, TIMES))),
        saving=Saving(saved=draw(saved), overdue_since=draw(TIMES)),
        page=Page(version=draw(TEXT), percent=draw(st.integers(-1, 10**6))),
        browser=BrowserRun(version=draw(TEXT), sandbox=draw(TEXT)),
        requests=Requests(handled=draw(handled)),
        usage=Usage(warnings=draw(st.lists(problem, max_size=6).map(tuple))),
        problem=draw(st.none() | problem),
    )


@given(states(), TEXT)
def test_no_status_of_a_worker_is_refused_whatever_page_and_store_say(shown: State, uid: str) -> None:
    told = status.session(shown, status.Process(uid))
    REPORT.validate(told)
    assert len(json.dumps(told, ensure_ascii=False).encode()) < report_bounds.TOTAL_BYTES


def test_a_push_name_of_a_megabyte_is_cut() -> None:
    found = page_events.facts({"account": {"id": "1@c.us", "pushname": "x" * 10**6, "platform": "android"}})
    told = status.session(State(SessionState.CONNECTED, login=Login(found.account, "")), POD)
    assert len(told["account"]["pushName"]) == 128
