"""What the simulated service does with old profiles, second browsers, unlinked devices and faults."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from scenes.simulated_service import Service, returning
from simulator import delivery, page_side, phone_side
from simulator.bare import BarePage


def test_a_linked_page_logs_in_and_acknowledges_its_first_step() -> None:
    service = Service()
    page, _, device = service.linked()
    assert page.kinds() == ["challenge", "refs", "paired", "challenge", "accepted", "step"]
    assert (device.logins, device.ratchet.acknowledged, page.disk.step) == (1, 1, 1)


def test_a_browser_that_merely_slept_is_not_taken_for_rolled_back() -> None:
    service = Service()
    page, number, device = service.linked()
    del service.pages[number]  # stopped: its socket is open, it hears nothing
    delivery.step(service.world, service.world.connections[number], device, service.now)
    service.settle()
    page_side.closed(service.world, number, service.now)
    service.open(page)
    assert (device.rollbacks, device.logins) == (0, 2)


def test_an_old_profile_is_counted_and_tolerated_by_default_and_counted_once() -> None:
    service = Service()
    page, number, device = service.linked()
    backup = page.disk.copy()
    phone_side.write(service.world, "alice", "4917", "hi", service.now)
    service.settle()
    service.close(number)
    restored = returning(backup, "second")
    second = service.open(restored)
    assert (device.rollbacks, service.world.counts["rollbacks"]) == (1, 1)
    service.close(second)
    service.open(returning(restored.disk, "third"))
    assert (device.rollbacks, device.logins) == (1, 3)


def test_an_old_profile_may_find_new_messages_undecryptable() -> None:
    service = Service(rollback_policy="undecryptable")
    page, number, device = service.linked()
    backup = page.disk.copy()
    phone_side.write(service.world, "alice", "4917", "before", service.now)
    service.settle()
    service.close(number)
    restored = returning(backup, "second")
    service.open(restored)
    phone_side.write(service.world, "alice", "4917", "after", service.now)
    service.settle()
    message = restored.heard[-1]["message"]
    assert isinstance(message, dict)
    assert (message["body"], message["readable"], device.undecryptable) == ("", False, True)


def test_an_old_profile_may_be_logged_out() -> None:
    service = Service(rollback_policy="logout")
    page, number, device = service.linked()
    backup = page.disk.copy()
    phone_side.write(service.world, "alice", "4917", "hi", service.now)
    service.settle()
    service.close(number)
    restored = returning(backup, "second")
    service.open(restored)
    assert device.removed
    assert restored.heard[-1] == {"type": "rejected", "reason": "logged_out"}
    assert restored.disk.device is None


def test_a_second_browser_replaces_the_first_by_default() -> None:
    service = Service()
    page, _, device = service.linked()
    second = returning(page.disk.copy(), "second")
    number = service.open(second)
    assert page.kinds()[-1] == "conflict"
    assert "accepted" in second.kinds()
    online = service.world.online(device.id)
    assert online is not None
    assert online.id == number
    assert (device.two_browsers, service.world.counts["conflicts"]) == (1, 1)


def test_a_second_browser_may_be_refused() -> None:
    service = Service(second_browser_policy="refuse")
    page, first, device = service.linked()
    second = returning(page.disk.copy(), "second")
    service.open(second)
    assert second.kinds() == ["challenge", "conflict"]
    online = service.world.online(device.id)
    assert online is not None
    assert online.id == first
    assert device.two_browsers == 1


def test_a_page_that_comes_back_before_its_old_socket_ended_is_no_second_browser() -> None:
    service = Service()
    page, first, device = service.linked()
    service.open(page)
    assert (device.two_browsers, service.cut) == (0, [first])


def test_a_taken_over_page_hears_a_conflict_and_may_take_its_login_back() -> None:
    service = Service()
    page, number, device = service.linked()
    assert phone_side.take_over(service.world, device.id, 0, service.now)
    service.settle()
    assert page.kinds()[-1] == "conflict"
    service.close(number)
    service.open(page)
    assert service.world.online(device.id) is not None
    assert not device.held_elsewhere


def test_a_browser_that_went_further_makes_the_first_profile_an_old_one() -> None:
    service = Service()
    page, number, device = service.linked()
    phone_side.take_over(service.world, device.id, 3, service.now)
    service.settle()
    service.close(number)
    service.open(page)
    assert device.rollbacks == 1


@pytest.mark.parametrize(
    ("lost", "reason"), [(("noise",), "half_keys"), (("identity",), "half_keys"), ((), "wrong_keys")]
)
def test_half_and_wrong_keys_are_rejected_and_counted(lost: Iterable[str], reason: str) -> None:
    service = Service()
    page, number, device = service.linked()
    service.close(number)
    disk = page.disk.copy()
    disk.identity = BarePage().identity
    for name in lost:
        setattr(disk, name, None)
    second = returning(disk, "second")
    service.open(second)
    assert second.heard[-1] == {"type": "rejected", "reason": reason}
    assert service.world.counts == {reason: 1}
    assert service.world.online(device.id) is None


def test_a_login_of_a_server_that_forgot_everybody_is_unknown() -> None:
    service = Service()
    page, _, _ = service.linked()
    phone_side.reset(service.world, service.now)
    service.settle()
    service.open(page)
    assert service.world.counts == {"unknown_device": 1}


def test_a_counter_from_the_future_is_rejected() -> None:
    service = Service()
    page, number, _ = service.linked()
    service.close(number)
    page.disk.step += 5
    service.open(page)
    assert service.world.counts == {"impossible_step": 1}


def test_an_unlinked_device_hears_it_at_once_or_at_its_next_login() -> None:
    service = Service()
    page, number, device = service.linked()
    assert phone_side.logout(service.world, device.id, service.now)
    service.settle()
    assert page.heard[-1] == {"type": "logged_out"}
    service.close(number)

    other, number, gone = service.linked("other")
    service.close(number)
    assert not phone_side.logout(service.world, gone.id, service.now)
    service.open(other)
    assert other.heard[-1] == {"type": "rejected", "reason": "logged_out"}


def test_a_message_waits_for_a_device_that_is_away_and_comes_once() -> None:
    service = Service()
    page, number, device = service.linked()
    service.close(number)
    phone_side.write(service.world, "alice", "4917", "hi", service.now)
    assert len(device.undelivered) == 1
    service.open(page)
    assert page.kinds()[-1] == "message"
    assert len(device.undelivered) == 0


@pytest.mark.parametrize("fault", ["client_outdated", "temporary_ban", "proxy_block"])
def test_a_login_fault_refuses_pages_and_costs_no_login(fault: str) -> None:
    service = Service()
    page, number, device = service.linked()
    service.close(number)
    phone_side.set_knobs(service.world, {"login_fault": fault}, service.now)
    service.open(page)
    assert page.heard[-1]["type"] == "refused"
    phone_side.set_knobs(service.world, {"login_fault": "none"}, service.now)
    service.open(page)
    assert (device.logins, device.rollbacks, device.removed) == (2, 0, False)


def test_steps_go_on_at_the_set_interval_while_a_page_is_on_line() -> None:
    service = Service(ratchet_interval_s=10.0)
    page, _, device = service.linked()
    for _ in range(3):
        service.now += 10
        delivery.tick(service.world, service.now)
        delivery.tick(service.world, service.now)
        service.settle()
    assert (page.disk.step, device.ratchet.acknowledged) == (4, 4)


def test_a_page_whose_network_is_cut_comes_back_without_loss() -> None:
    service = Service()
    page, number, device = service.linked()
    phone_side.set_network(service.world, False, service.now)
    service.settle()
    assert service.cut == [number]
    phone_side.set_network(service.world, True, service.now)
    service.open(page)
    assert (device.logins, device.rollbacks, device.two_browsers) == (2, 0, 0)


def test_event_numbers_go_on_after_a_reset() -> None:
    service = Service()
    service.linked()
    last = service.world.journal.last
    phone_side.reset(service.world, service.now)
    assert next(event.number for event in service.world.journal.after(0)) > last
