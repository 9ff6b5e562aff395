"""What the library is known to do badly shows on the simulator, so that "ours does better" can be measured there."""

from __future__ import annotations

import pytest

from conformance.scenarios import Observation


def observing(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("seen", [name], indirect=True, ids=[""])


@observing("busy-saves")
def test_saves_fail_while_the_page_writes(seen: Observation) -> None:
    failed = seen.facts["failed"]
    assert isinstance(failed, int)
    assert failed > 0


@observing("early-save")
def test_a_save_at_once_when_ready_is_half_a_session(seen: Observation) -> None:
    assert seen.facts["half"] == 1


@observing("dead-archive")
def test_the_archive_of_an_unlinked_device_stays_without_a_word(seen: Observation) -> None:
    ends = seen.facts["ends"]
    assert isinstance(ends, list)
    assert len(ends) == 2
    assert set(ends) <= {"rejected", "qr"}
    assert seen.facts["told"] == []
    assert seen.facts["archive_kept"]


@observing("conflict")
def test_a_conflict_deletes_the_archive(seen: Observation) -> None:
    assert seen.facts == {"reason": "CONFLICT", "archive_kept": False}


@observing("half-zip")
def test_half_a_zip_ends_in_a_qr_code_without_a_word(seen: Observation) -> None:
    assert seen.facts["first"] == "qr"


@observing("empty-file")
def test_an_empty_archive_ends_in_a_qr_code_without_a_word(seen: Observation) -> None:
    assert seen.facts["first"] == "qr"


@observing("noise")
def test_an_archive_that_is_no_zip_rejects_every_start(seen: Observation) -> None:
    assert seen.facts["first"] == "rejected"


@observing("failing-store")
def test_a_failing_store_ends_the_process(seen: Observation) -> None:
    assert seen.facts["exit"] == 1
    assert "the store is away" in str(seen.facts["errors"])


@observing("destroyed-early")
def test_a_stop_within_a_minute_saves_later_and_never_exits(seen: Observation) -> None:
    assert seen.facts == {"exit": None, "saved_later": True, "exit_later": None}


@observing("used-up-refs")
def test_after_the_last_ref_there_is_no_further_qr_code(seen: Observation) -> None:
    assert seen.facts["quiet"]


@observing("idle-at-start")
def test_an_idle_page_gives_a_qr_code_without_a_ref_and_no_other(seen: Observation) -> None:
    assert seen.facts == {"ref": "undefined", "quiet": True}


@observing("early-sync")
def test_a_page_that_has_synced_before_is_never_ready(seen: Observation) -> None:
    assert seen.facts["silent"]


@observing("resync")
def test_each_reconnect_that_flips_the_flag_is_another_ready_and_another_timer(seen: Observation) -> None:
    ready, timers = seen.facts["ready"], seen.facts["timers"]
    assert isinstance(ready, int)
    assert isinstance(timers, int)
    # A connection that is lost by itself on a busy machine makes a fourth.
    assert ready >= 3
    assert timers >= 3


@observing("relinked")
def test_a_relink_in_the_same_process_saves_an_empty_zip(seen: Observation) -> None:
    assert seen.facts["files"] == []


@observing("site-down")
def test_a_site_that_is_away_at_the_start_rejects_with_a_string(seen: Observation) -> None:
    assert seen.facts["error"] == "auth timeout"


@observing("store-away")
def test_a_store_that_cannot_be_asked_costs_the_local_profile(seen: Observation) -> None:
    assert seen.facts == {"logins": [1], "kept": False}


@observing("stale-lock")
def test_a_lock_of_a_host_that_is_gone_keeps_local_auth_from_starting(seen: Observation) -> None:
    assert "in use" in str(seen.facts["error"]) or "already running" in str(seen.facts["error"])
