"""What a person sees of a session."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes import json_samples, schema_samples
from whatsapp_cli import view
from whatsapp_session import untrusted

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _session(
    phase: str | None = None, conditions: tuple[tuple[str, str, str], ...] = (), **session: Any
) -> view.Resource:
    return {
        "metadata": {"namespace": "bots", "name": "support", "creationTimestamp": "2025-12-31T23:00:00Z"},
        "status": {
            "phase": phase,
            "conditions": [{"type": kind, "status": status, "message": text} for kind, status, text in conditions],
            "session": session,
        },
    }


def _qr(seconds_left: int) -> dict[str, Any]:
    return {"code": "2@generated", "expiresAt": (NOW + timedelta(seconds=seconds_left)).isoformat(), "attempt": 2}


def test_a_valid_code_is_drawn_with_its_time_left() -> None:
    screen = view.screen(_session("AwaitingLink", state="AwaitingLink", qr=_qr(20)), NOW)
    assert isinstance(screen, view.DrawCode)
    assert screen.caption == "code 2, valid for 20 s more"
    assert screen.code == "2@generated"


def test_a_code_is_in_no_repr() -> None:
    screen = view.screen(_session("AwaitingLink", state="AwaitingLink", qr=_qr(20)), NOW)
    assert "2@generated" not in repr(screen)


def test_an_expired_code_that_a_worker_left_behind_is_not_drawn() -> None:
    resource = _session("Starting", (("Linked", "False", "the pod starts"),), state="AwaitingLink", qr=_qr(0))
    assert view.screen(resource, NOW) == view.Wait("Starting: the pod starts")


def test_a_code_that_only_the_clock_here_calls_expired_is_drawn() -> None:
    screen = view.screen(_session("AwaitingLink", state="AwaitingLink", qr=_qr(-3600)), NOW)
    assert isinstance(screen, view.DrawCode)
    assert (screen.code, screen.caption) == ("2@generated", "code 2")


@pytest.mark.parametrize("state", ["Syncing", "Connected", "Reconnecting", "Frozen", "Conflict"])
def test_a_linked_session_needs_no_code(state: str) -> None:
    assert view.screen(_session(state=state, account={"id": "49***89@c.us"}), NOW) == view.Linked("49***89@c.us")


def test_a_browser_that_stands_still_while_it_waits_for_a_phone_is_not_linked() -> None:
    resource = _session("Frozen", (("Linked", "False", "neither the Lease nor the store answers"),), state="Frozen")
    assert view.screen(resource, NOW) == view.Wait("Frozen: neither the Lease nor the store answers")


def test_a_linked_session_that_failed_says_why() -> None:
    conditions = (("Linked", "True", "a phone is linked"), ("Stalled", "True", "the archive is missing"))
    assert view.screen(_session("Failed", conditions), NOW) == view.Ended("Failed: the archive is missing")
    assert isinstance(view.screen(_session("Starting", conditions[:1]), NOW), view.Linked)


def test_a_pairing_code_is_shown() -> None:
    screen = view.screen(_session(state="AwaitingLink", pairingCode="ABCD-EFGH"), NOW)
    assert isinstance(screen, view.ShowPairingCode)


def test_a_suspended_session_ends_with_what_to_do() -> None:
    resource = _session("Suspended", (("Ready", "True", "set operatingMode: Running to resume"),))
    assert view.screen(resource, NOW) == view.Ended("Suspended: set operatingMode: Running to resume")


def test_stalled_says_more_than_linked() -> None:
    resource = _session("Failed", (("Linked", "False", "b"), ("Stalled", "True", "a")))
    assert view.screen(resource, NOW) == view.Ended("Failed: a")


def test_a_session_that_nobody_looked_at_says_so() -> None:
    screen = view.screen({"metadata": {"name": "support"}}, NOW)
    assert screen == view.Wait("Pending: the operator has not reconciled this session yet")


def test_the_table_is_aligned() -> None:
    text = view.table([_session("Connected", (("Saved", "True", ""),), state="Connected")], NOW)
    assert text.splitlines() == [
        "NAMESPACE   NAME      PHASE       LINKED   SAVED   ACCOUNT   POD   AGE",
        "bots        support   Connected   -        True    -         -     60m",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172800, "2d")])
def test_an_age_has_one_unit(seconds: int, text: str) -> None:
    assert view.age(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize("odd", ["", "soon", "2026-01-01T00:00:00+99:99", "0000-01-01T00:00:00Z", "1" * 4000, 7, None])
def test_a_code_whose_expiry_is_no_time_is_drawn_without_a_countdown(odd: object) -> None:
    session = _session("AwaitingLink", state="AwaitingLink", qr={**_qr(20), "expiresAt": odd})
    assert view.screen(session, NOW) == view.DrawCode("2@generated", "code 2")


def test_nothing_in_a_status_steers_the_terminal() -> None:
    odd = "\x1b]0;title\x07\x9b2J\u202e\r\n"
    conditions = (("Stalled", odd, odd), ("Linked", odd, odd), ("Saved", odd, odd))
    resource = _session(odd, conditions, state="Connected", account={"id": odd})
    resource["status"]["worker"] = {"pod": odd}
    shown = view.table([resource], NOW) + repr(view.screen(resource, NOW)) + repr(view.screen(_session(odd), NOW))
    assert untrusted.printable(shown.replace("\n", "")) == shown.replace("\n", "")
    assert len(view.table([resource], NOW).splitlines()) == 2


@given(resource=st.fixed_dictionaries({"metadata": json_samples.ANYTHING, "status": json_samples.ANYTHING}))
def test_a_resource_of_any_shape_is_shown(resource: dict[str, Any]) -> None:
    view.screen(resource, NOW)
    assert len(view.table([resource], NOW).splitlines()) == 2


@given(session=json_samples.like(schema_samples.status_session()), phase=json_samples.SCALARS)
def test_a_report_of_any_shape_is_shown_without_control_characters(session: Any, phase: Any) -> None:
    resource = {"metadata": {}, "status": {"phase": phase, "session": session}}
    for shown in (repr(view.screen(resource, NOW)), view.table([resource], NOW).replace("\n", "")):
        assert untrusted.printable(shown) == shown
