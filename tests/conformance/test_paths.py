"""The unmodified library is satisfied with the simulator."""

from __future__ import annotations

import pytest

from conformance.scenarios import Observation


def observing(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("seen", [name], indirect=True, ids=[""])


@observing("remote-auth")
def test_remote_auth_links_saves_restores_without_a_qr_code_and_hears_a_logout(seen: Observation) -> None:
    facts = seen.facts
    assert facts["fresh"] == ["qr", "loading_screen", "authenticated", "ready", "remote_session_saved"]
    assert facts["restored"] == ["loading_screen", "authenticated", "ready"]
    assert facts["reason"] == "LOGOUT"
    checked = facts["checked"]
    assert isinstance(checked, dict)
    assert checked["ok"], checked
    assert checked["records"] > 1000
    assert not facts["archive_kept"]


@observing("remote-auth")
def test_the_server_takes_a_restored_profile_for_what_it_is(seen: Observation) -> None:
    assert seen.facts["logins"] == 2
    assert seen.facts["rollbacks"] == 0
    assert seen.facts["two_browsers"] == 0


@observing("local-auth")
def test_local_auth_is_ready_again_from_its_directory_and_a_logout_removes_it(seen: Observation) -> None:
    assert seen.facts["exit"] == 0
    assert seen.facts["restored"] == ["loading_screen", "authenticated", "ready"]
    assert not seen.facts["kept"]
    assert not seen.facts["linked"]


@observing("no-auth")
def test_no_auth_shows_a_qr_code_at_each_start(seen: Observation) -> None:
    assert seen.facts["logins"] == [1]


@observing("messages")
def test_a_session_linked_by_a_pairing_code_receives_and_sends_a_message(seen: Observation) -> None:
    facts = seen.facts
    assert len(str(facts["code"])) == 8
    assert facts["qr"] == []
    assert facts["ready"] == {"wid": "4915200000001@c.us", "pushname": "Alice B"}
    assert facts["received"] == {"from": "4917000000002@c.us", "body": "hello"}
    assert facts["phone_saw"] == [
        ("4917000000002@c.us", "4915200000001@c.us", "hello"),
        ("4915200000001@c.us", "4917000000002@c.us", "see https://example.org/x"),
    ]


@observing("takeover")
def test_the_library_takes_its_connection_back_when_told_to(seen: Observation) -> None:
    assert seen.facts["states"] == ["CONFLICT", "OPENING", "CONNECTED"]
    assert seen.facts["disconnected"] == []
