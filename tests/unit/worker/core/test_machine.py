"""The worker's machine: from a claim over a code to a session that is saved, and to its end."""

from dataclasses import replace

import pytest

from scenes.worker.machine_story import ALICE, BOB, SAVED, SETTINGS, S, Story, facts
from whatsapp_session.conditions import ExitCode, Reason, SaveTrigger, SessionState
from whatsapp_worker.core import actions, events, linking, page_events
from whatsapp_worker.core.state import UNKNOWN, Restored


def test_a_fresh_session_goes_from_claim_to_code_to_ready_in_the_guides_order() -> None:
    story = Story().on(events.Claimed())
    assert story.state.session_state is SessionState.RESTORING
    story.on(events.ProfileReady())
    assert story.actions == [actions.Launch()]
    story.on(events.Launched("156.0"), page_events.Attached(facts(S.OPENING)))
    assert story.state.session_state is SessionState.LAUNCHING
    story.on(page_events.Changed(facts(S.UNPAIRED)), page_events.Qr("2@one"))
    assert (story.state.session_state, story.emitted) == (SessionState.AWAITING_LINK, ["change_state", "qr"])
    story.on(
        page_events.Changed(facts(S.PAIRING)), page_events.Changed(facts(S.CONNECTED, ALICE)), page_events.Progress(40)
    )
    assert (story.state.session_state, story.state.codes.qr) == (SessionState.SYNCING, None)
    assert story.emitted[-1] == "loading_screen"
    story.on(page_events.Synced(facts(S.CONNECTED, ALICE, True)))
    assert story.emitted == ["authenticated", "ready"]
    assert actions.Save(SaveTrigger.FIRST_LINK) in story.actions, (
        "saved at once: a link that is not saved is lost by a restart"
    )
    story.on(events.SaveDone(SAVED))
    assert story.emitted == ["remote_session_saved"]


def test_a_restored_session_is_ready_without_a_code() -> None:
    story = Story().restored()
    assert story.state.session_state is SessionState.CONNECTED
    assert story.emitted == ["authenticated", "ready"]
    assert not story.does(actions.Save)
    story.on(events.Tick(), after=linking.SAVE_AFTER_RESTORE)
    assert story.actions == [actions.Save(SaveTrigger.INTERVAL)], "the login itself moved the ratchet on"


def test_the_first_code_lives_a_minute_and_the_next_ones_20_seconds() -> None:
    story = Story().awaiting()
    assert story.state.codes.qr is not None
    assert story.state.codes.qr.expires_at - story.now == 60
    story.on(page_events.Qr("2@two"), after=60)
    assert story.state.codes.qr is not None
    assert (story.state.codes.qr.attempt, story.state.codes.qr.expires_at - story.now) == (2, 20)
    story.on(events.Tick(), after=20)
    assert story.state.codes.qr is None, "an expired code is not shown"


def test_codes_that_are_used_up_are_refreshed_until_the_linking_timeout() -> None:
    story = Story().awaiting().on(page_events.Changed(facts(S.UNPAIRED_IDLE)), after=160)
    assert story.does(actions.RefreshQr)
    story.on(page_events.Qr("2@seven"))
    assert story.state.codes.qr is not None
    assert story.state.codes.qr.expires_at - story.now == 60
    story.on(events.Tick(), after=1800)
    assert story.state.session_state is SessionState.LINK_EXPIRED
    assert story.actions == [actions.Shutdown(ExitCode.DONE, Reason.QR_EXPIRED, "no phone linked in time", save=False)]


def test_without_a_limit_a_browser_waits_for_ever() -> None:
    story = Story(replace(SETTINGS, linking_timeout=0)).awaiting().on(events.Tick(), after=1e7)
    assert story.state.session_state is SessionState.AWAITING_LINK


def test_a_page_that_had_synced_before_anybody_listened_is_ready() -> None:
    story = Story().awaiting().on(page_events.Attached(facts(S.CONNECTED, ALICE, True)))
    assert story.emitted == ["authenticated", "ready"]


def test_ready_comes_once_however_often_the_page_syncs_again() -> None:
    story = (
        Story()
        .connected()
        .on(
            page_events.Changed(facts(S.TIMEOUT, ALICE)),
            page_events.Changed(facts(S.CONNECTED, ALICE)),
            page_events.Synced(facts(S.CONNECTED, ALICE, True)),
        )
    )
    assert story.state.session_state is SessionState.CONNECTED
    assert "ready" not in story.emitted
    assert not story.does(actions.Save)


def test_what_exceeds_the_users_limits_is_told_until_it_is_clearly_below_and_nothing_is_done() -> None:
    story = Story(replace(SETTINGS, archive_warning=900, memory_warning=1000)).connected()
    story.on(events.SaveDone(SAVED), events.Measured(1001))
    assert [warning.reason for warning in story.state.usage.warnings] == [Reason.ARCHIVE_TOO_LARGE, Reason.MEMORY_HIGH]
    assert not [action for action in story.actions if not isinstance(action, actions.Emit)]
    assert story.state.problem is None
    story.on(events.Measured(950))
    assert len(story.state.usage.warnings) == 2
    story.on(events.Measured(899))
    assert [warning.reason for warning in story.state.usage.warnings] == [Reason.ARCHIVE_TOO_LARGE]
    assert Story().connected().on(events.Measured(1 << 40)).state.usage.warnings == ()


def test_a_logout_from_the_phone_buries_the_login_and_shows_a_new_code_in_the_same_process() -> None:
    story = Story().connected().on(events.SaveDone(SAVED), page_events.LoggedOut())
    assert story.actions[-2:] == [actions.RetireLogin(ALICE.hash), actions.Emit("disconnected", ("LOGOUT",))]
    assert story.state.session_state is SessionState.LOGGED_OUT
    story.on(page_events.LoggedOut())
    assert story.actions == [], "the address says it once more"
    story.on(page_events.Attached(facts(S.UNPAIRED)), page_events.Qr("2@new"))
    assert (story.state.session_state, story.emitted) == (SessionState.AWAITING_LINK, ["qr"])
    assert story.state.saving.saved is None
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE)), page_events.Synced(facts(S.CONNECTED, ALICE, True)))
    assert actions.Save(SaveTrigger.FIRST_LINK) in story.actions, "the next save is a real one"


GONE = events.BrowserGone(Reason.BROWSER_CRASHED, "the browser has ended")


@pytest.mark.parametrize("late", [page_events.Changed, page_events.Synced])
def test_a_page_that_stays_after_a_logout_is_not_connected_again(late: type[page_events.Changed]) -> None:
    story = Story().connected().on(events.SaveDone(SAVED), page_events.LoggedOut())
    story.on(late(facts(S.CONNECTED, ALICE, True)))
    assert (story.state.session_state, story.actions, story.emitted) == (SessionState.LOGGED_OUT, [], [])
    story.on(page_events.Changed(facts(S.UNPAIRED)), page_events.Qr("2@new"))
    assert (story.state.session_state, story.emitted) == (SessionState.AWAITING_LINK, ["change_state", "qr"])
    assert not story.does(actions.RestorePrevious)
    story.on(page_events.Changed(facts(S.CONNECTED, BOB, True)))
    assert story.state.session_state is SessionState.CONNECTED, "a new link in the same page"


def test_a_page_that_is_loaded_again_after_a_logout_is_believed() -> None:
    story = Story().connected().on(page_events.LoggedOut(), page_events.Attached(facts(S.OPENING)))
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE, True)))
    assert story.state.session_state is SessionState.CONNECTED


def test_a_lost_network_is_a_change_of_state_and_no_disconnection() -> None:
    story = Story().connected().on(events.SaveDone(SAVED)).on(page_events.Changed(facts(S.TIMEOUT, ALICE)))
    assert (story.state.session_state, story.emitted) == (SessionState.RECONNECTING, ["change_state"])
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE, True)))
    assert story.emitted == ["change_state"]


@pytest.mark.parametrize(
    "what", [page_events.Changed(facts(S.CONFLICT, ALICE)), page_events.Changed(facts(S.PROXYBLOCK, ALICE)), GONE]
)
def test_a_disconnection_is_followed_by_ready_when_the_session_is_back(what: events.Event) -> None:
    story = Story().connected().on(events.SaveDone(SAVED), what)
    assert story.emitted[-1] == "disconnected"
    if what is GONE:
        story.on(events.Launched("156"))
    story.on(page_events.Attached(facts(S.CONNECTED, ALICE, True)))
    assert story.emitted == ["authenticated", "ready"]
    story.on(page_events.Synced(facts(S.CONNECTED, ALICE, True)))
    assert story.emitted == []
    assert not story.does(actions.Save)


def test_a_save_of_the_login_that_was_removed_says_nothing_of_the_new_one() -> None:
    story = Story().connected()
    removed = story.state.login.number
    story.on(
        page_events.LoggedOut(),
        page_events.Attached(facts(S.UNPAIRED)),
        page_events.Changed(facts(S.CONNECTED, BOB, True)),
    )
    assert actions.Save(SaveTrigger.FIRST_LINK) in story.actions
    before = story.state
    story.on(events.SaveDone(SAVED, removed))
    assert (story.state, story.actions) == (before, [])
    story.on(events.SaveFailed(Reason.STORE_UNAVAILABLE, "away", removed))
    assert (story.state, story.actions) == (before, [])
    story.on(events.SaveDone(SAVED, story.state.login.number))
    assert (story.state.saving.saved, story.state.saving.running, story.emitted) == (
        SAVED,
        False,
        ["remote_session_saved"],
    )


def test_a_save_of_a_removed_login_that_ends_after_the_stop_is_not_announced() -> None:
    story = Story().connected()
    removed = story.state.login.number
    story.on(page_events.LoggedOut(), events.StopRequested(), events.SaveDone(SAVED, removed))
    assert (story.state.saving.saved, story.emitted) == (None, ["disconnected"])


def test_a_logout_of_a_restored_session_is_no_failed_restore() -> None:
    story = (
        Story()
        .launched(events.ProfileReady(ALICE.hash, SAVED))
        .on(page_events.Attached(facts(S.OPENING)), page_events.LoggedOut())
    )
    assert story.does(actions.RetireLogin)
    story.on(page_events.Attached(facts(S.UNPAIRED)))
    assert not story.does(actions.RestorePrevious)


def test_nobody_linking_after_a_logout_ends_as_logged_out() -> None:
    story = (
        Story()
        .connected()
        .on(page_events.LoggedOut(), page_events.Attached(facts(S.UNPAIRED)))
        .on(events.Tick(), after=1800)
    )
    assert story.state.session_state is SessionState.LOGGED_OUT
    assert story.actions[0] == actions.Shutdown(
        ExitCode.DONE, Reason.LOGGED_OUT_FROM_PHONE, "no phone linked in time", save=False
    )


def test_a_restored_profile_without_its_login_falls_back_and_says_so() -> None:
    story = (
        Story()
        .launched(events.ProfileReady(ALICE.hash, SAVED, Restored(4, 900.0)))
        .on(page_events.Attached(facts(S.UNPAIRED)))
    )
    assert story.does(actions.RestorePrevious)
    assert story.emitted == ["auth_failure"]
    assert story.state.problem is not None
    assert story.state.problem.reason is Reason.RESTORE_FAILED
    assert not story.does(actions.RetireLogin)
    story.on(events.ProfileReady("", None, None), events.Launched("156"), page_events.Attached(facts(S.UNPAIRED)))
    assert story.state.session_state is SessionState.AWAITING_LINK


def test_another_phone_than_the_expected_one_is_unlinked_at_once() -> None:
    story = Story(replace(SETTINGS, expected_account="+49 151 12345678")).awaiting()
    story.on(page_events.Changed(facts(S.CONNECTED, BOB)))
    assert story.actions[-1] == actions.Unlink()
    assert not story.does(actions.Save)
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE)))
    assert not story.does(actions.Unlink)


def test_a_saved_login_of_another_account_than_the_expected_one_is_refused_and_kept() -> None:
    for known in (BOB.hash, UNKNOWN):
        story = Story(replace(SETTINGS, expected_account="4915112345678")).launched(events.ProfileReady(known, SAVED))
        story.on(page_events.Attached(facts(S.CONNECTED, BOB, True)))
        (shutdown,) = story.actions
        assert isinstance(shutdown, actions.Shutdown), "and nothing is unlinked or retired"
        assert (shutdown.code, shutdown.reason) == (ExitCode.CONFIGURATION, Reason.ACCOUNT_MISMATCH)
        assert "set the expected account" in shutdown.message
        assert BOB.id.partition("@")[0] not in shutdown.message
        assert story.state.session_state is SessionState.FAILED


def test_a_failed_save_is_told_and_tried_again_and_the_session_goes_on() -> None:
    story = Story().connected().on(events.SaveFailed(Reason.STORE_UNAVAILABLE, "ENOSPC"))
    assert story.state.session_state is SessionState.CONNECTED
    assert story.state.problem is not None
    assert (story.state.problem.reason, story.state.saving.overdue_since) == (Reason.STORE_UNAVAILABLE, story.now)
    story.on(events.Tick(), after=2)
    assert story.actions == [actions.Save(SaveTrigger.FIRST_LINK)]
    story.on(events.SaveDone(SAVED))
    assert (story.state.problem, story.state.saving.overdue_since) == (None, 0.0)


def test_saves_never_overlap() -> None:
    story = Story().connected()
    assert story.does(actions.Save)
    story.on(events.SaveRequested(), events.Tick(), after=400)
    assert not story.does(actions.Save)


def test_a_strategy_that_finds_nothing_to_save_is_asked_again_at_the_next_interval() -> None:
    story = Story().restored().on(events.SaveRequested("2026-01-01T00:00:00Z"))
    assert story.state.saving.running
    story.on(events.SaveDone(None))
    assert (story.state.saving.running, story.state.saving.saved, story.emitted) == (False, SAVED, [])
    assert story.state.requests.handled == {"save": "2026-01-01T00:00:00Z"}
    story.on(events.Tick(), after=300)
    assert story.actions == [actions.Save(SaveTrigger.INTERVAL)]


def test_an_unchanged_profile_counts_as_saved_and_is_not_announced() -> None:
    story = Story().connected().on(events.SaveDone(replace(SAVED, changed=False)))
    assert story.emitted == []
    story.on(events.Tick(), after=300)
    assert story.actions == [actions.Save(SaveTrigger.INTERVAL)]


def test_a_stop_saves_and_the_last_save_is_still_announced() -> None:
    story = Story().connected().on(events.StopRequested())
    assert story.state.session_state is SessionState.STOPPING
    assert story.actions == [actions.Shutdown(ExitCode.DONE, None, "stopped on request")]
    assert story.on(events.SaveDone(SAVED)).emitted == ["remote_session_saved"]


def test_a_last_save_that_fails_is_the_last_word() -> None:
    story = Story().connected().on(events.StopRequested(), events.SaveFailed(Reason.STORE_UNAVAILABLE, "ENOSPC"))
    assert story.state.problem is not None
    assert (story.state.problem.reason, story.state.saving.overdue_since) == (Reason.STORE_UNAVAILABLE, story.now)
