"""How a page is linked to the simulated service, and what it refuses."""

from __future__ import annotations

import json

import pytest

from scenes.simulated_service import Service
from simulator import phone_side, view
from simulator.bare import BarePage
from simulator.phone_side import RefusedError


def test_an_account_with_a_passkey_links_only_when_the_prompt_is_passed() -> None:
    service = Service(passkey_required=True)
    page = BarePage()
    number = service.open(page)
    assert phone_side.scan(service.world, "alice", page.qr(), service.now) is None
    service.settle()
    assert page.kinds()[-1] == "passkey"
    service.say(number, {"type": "passkey", "passed": False})
    assert service.world.devices == {}
    service.say(number, {"type": "passkey", "passed": True})
    assert page.kinds()[-1] == "paired"


def test_a_scan_of_a_ref_that_has_passed_is_refused() -> None:
    service = Service()
    page = BarePage()
    service.open(page)
    service.now += 61
    with pytest.raises(RefusedError, match="expired") as caught:
        phone_side.scan(service.world, "alice", page.qr(), service.now)
    assert caught.value.reason == "expired_ref"
    assert phone_side.scan(service.world, "alice", page.qr(page.refs[1]), service.now) is not None


def test_a_scan_with_other_keys_than_the_page_showed_is_refused() -> None:
    service = Service()
    page, thief = BarePage(), BarePage()
    service.open(page)
    with pytest.raises(RefusedError) as caught:
        phone_side.scan(service.world, "alice", thief.qr(page.refs[0]), service.now)
    assert caught.value.reason == "keys_differ"


def test_an_idle_page_has_no_ref_until_it_asks() -> None:
    service = Service(idle_qr=True)
    page = BarePage()
    number = service.open(page)
    assert page.refs == []
    service.say(number, {"type": "refresh"})
    assert len(page.refs) == 6


def test_a_pairing_code_links_only_the_phone_it_was_made_for() -> None:
    service = Service()
    alice = phone_side.describe(service.world, "alice", {"number": "4915200000001"})
    page = BarePage()
    number = service.open(page)
    service.say(number, {"type": "ask_code", "number": alice.number})
    assert page.code is not None
    with pytest.raises(RefusedError) as caught:
        phone_side.enter_code(service.world, "bob", page.code, service.now)
    assert caught.value.reason == "other_number"
    service.now += 181
    with pytest.raises(RefusedError) as caught:
        phone_side.enter_code(service.world, "alice", page.code, service.now)
    assert caught.value.reason == "expired_code"
    service.say(number, {"type": "ask_code", "number": alice.number})
    assert phone_side.enter_code(service.world, "alice", page.code.lower(), service.now) is not None


def test_neither_the_state_nor_the_events_hold_a_secret() -> None:
    service = Service()
    page = BarePage()
    service.open(page)
    text = page.qr()
    phone_side.scan(service.world, "alice", text, service.now)
    service.settle()
    shown = json.dumps(view.state(service.world)) + "".join(
        json.dumps(event.as_json()) for event in service.world.journal.after(0)
    )
    assert not [part for part in text.split(",")[:4] if part in shown]
