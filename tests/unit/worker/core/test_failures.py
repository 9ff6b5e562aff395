"""What the machine decides when the site, the page, the browser or the store fails."""

from dataclasses import replace

import pytest

from scenes.worker.machine_story import ALICE, SAVED, SETTINGS, S, Story, facts
from whatsapp_session.conditions import ExitCode, Reason, SaveTrigger, SessionState
from whatsapp_worker.core import actions, events, linking, page_events, recovery, saving


def test_a_lost_connection_is_reconnecting_and_deletes_nothing() -> None:
    for state in (S.TIMEOUT, S.OPENING, S.PROXYBLOCK, S.DELETED, S.UNKNOWN):
        story = Story().connected().on(page_events.Changed(facts(state, ALICE)))
        assert story.state.session_state is SessionState.RECONNECTING, state
        assert not story.does(actions.RetireLogin), state


def test_a_site_that_is_down_is_tried_again_with_backoff() -> None:
    story = Story().launched(events.ProfileReady(ALICE.hash, SAVED))
    for pause in (2, 4, 8, 16, 32, 60, 60):
        story.on(events.LoadFailed("net::ERR_CONNECTION_REFUSED"))
        assert story.state.session_state is SessionState.RECONNECTING
        story.on(events.Tick(), after=pause - 0.1)
        assert not story.does(actions.Load)
        story.on(events.Tick(), after=0.1)
        assert story.actions == [actions.Load()]


def test_a_load_that_fails_is_counted_once_however_it_is_told() -> None:
    story = Story().launched(events.ProfileReady(ALICE.hash, SAVED)).on(events.LoadFailed("it answered 503"))
    story.on(page_events.UnexpectedPage(503))
    assert story.state.loading.failures == 1
    assert story.state.session_state is SessionState.RECONNECTING
    assert story.state.problem is not None
    assert (story.state.problem.reason, story.state.problem.message) == (
        Reason.RECONNECTING,
        "WhatsApp Web answered with HTTP status 503",
    )
    assert story.on(events.Tick(), after=2).does(actions.Load)


def test_a_page_that_is_none_of_whatsapps_is_loaded_again_and_after_a_while_said_to_have_changed() -> None:
    foreign = page_events.UnexpectedPage(200, ("window.require", "window.Debug.VERSION"))
    for linked in (False, True):
        story = Story().launched(events.ProfileReady(ALICE.hash, SAVED) if linked else None)
        for _ in range(linking.FOREIGN_LOADS):
            story.on(foreign)
            assert not story.does(actions.Shutdown)
            assert story.state.problem is not None
            assert story.state.problem.reason is Reason.RECONNECTING
            assert story.on(events.Tick(), after=61).does(actions.Load)
        story.on(foreign)
        assert story.does(actions.Shutdown) is not linked, "a linked session waits for its page for ever"
    for status in (503, 403):
        story = Story().launched()
        for _ in range(20):
            story.on(page_events.UnexpectedPage(status), events.Tick(), after=61)
            assert not story.does(actions.Shutdown)


def test_a_dead_page_is_closed_gently_and_what_it_had_not_saved_is_saved_when_it_is_back() -> None:
    story = Story().connected().on(events.SaveDone(SAVED), events.BrowserGone(Reason.PAGE_DEAD, "dead"))
    assert story.actions[-1] == actions.Recycle(gently=True)
    story.on(events.Launched("156"), page_events.Attached(facts(S.CONNECTED, ALICE, True)), events.Tick())
    assert story.actions[-1] == actions.Save(SaveTrigger.INTERVAL)
    assert story.emitted == ["authenticated", "ready"]


def test_a_session_without_a_witness_stands_still_and_then_goes_on_where_it_was() -> None:
    story = Story().connected().on(events.SaveDone(SAVED), events.OwnershipExpired())
    assert story.state.session_state is SessionState.FROZEN
    assert story.state.problem is not None
    assert story.state.problem.reason is Reason.FROZEN
    late = (page_events.Changed(facts(S.UNPAIRED)), events.Tick(), events.BrowserGone(Reason.PAGE_DEAD, "x"))
    story.on(*late, after=1000)
    assert (story.actions, story.state.session_state) == ([], SessionState.FROZEN), "nothing is done meanwhile"
    story.on(events.OwnershipRenewed())
    assert (story.state.session_state, story.state.problem, story.actions) == (SessionState.CONNECTED, None, [])


def test_a_browser_that_ended_while_it_stood_still_is_started_again_when_it_may() -> None:
    story = Story().connected().on(events.OwnershipExpired(), events.BrowserGone(Reason.BROWSER_CRASHED, "killed"))
    assert story.actions == []
    assert story.on(events.OwnershipRenewed()).actions == [actions.Recycle()]
    assert story.state.session_state is SessionState.LAUNCHING


def test_a_browser_that_is_frozen_says_what_the_store_answered() -> None:
    story = Story().connected().on(events.OwnershipExpired("the clock is 26 hours behind"))
    assert story.state.problem is not None
    assert "the clock is 26 hours behind" in story.state.problem.message


def test_a_session_that_falls_silent_before_its_browser_starts_is_frozen_and_starts_it_when_it_may() -> None:
    story = Story().on(events.Claimed(), events.OwnershipExpired(), events.ProfileReady(ALICE.hash, SAVED))
    assert (story.actions, story.state.session_state) == ([], SessionState.FROZEN)
    assert story.state.problem is not None
    assert story.state.problem.reason is Reason.FROZEN
    assert story.on(events.OwnershipRenewed()).actions == [actions.Recycle()]
    assert story.state.session_state is SessionState.LAUNCHING
    story = Story().on(events.Claimed(), events.OwnershipExpired(), events.OwnershipRenewed(), events.ProfileReady())
    assert story.actions == [actions.Launch()]


def test_a_new_link_of_a_frozen_session_waits_for_a_witness_as_well() -> None:
    story = Story().connected().on(events.OwnershipExpired(), events.RelinkRequested("2026-01-01T00:00:00Z"))
    assert story.does(actions.Relink)
    story.on(events.ProfileReady())
    assert (story.actions, story.state.session_state) == ([], SessionState.FROZEN)
    assert story.on(events.OwnershipRenewed()).actions == [actions.Recycle()]


def test_a_profile_that_begins_empty_after_a_fall_back_has_nothing_saved() -> None:
    story = Story().launched(events.ProfileReady(ALICE.hash, SAVED)).on(page_events.Attached(facts(S.UNPAIRED)))
    assert story.does(actions.RestorePrevious)
    story.on(events.ProfileReady(), events.Launched("156"), page_events.Attached(facts(S.CONNECTED, ALICE)))
    assert story.state.saving.saved is None


def test_what_a_browser_says_late_brings_none_back_while_its_profile_is_changed() -> None:
    story = Story().launched(events.ProfileReady(ALICE.hash, SAVED)).on(page_events.Attached(facts(S.UNPAIRED)))
    assert story.does(actions.RestorePrevious)
    story.on(events.BrowserGone(Reason.BROWSER_CRASHED, "x"), page_events.Attached(facts(S.UNPAIRED)))
    assert (story.actions, story.state.session_state) == ([], SessionState.RESTORING)


def test_a_browser_that_starts_while_a_new_link_is_prepared_is_not_the_one_that_is_waited_for() -> None:
    story = Story().connected().on(events.RelinkRequested("2026-01-01T00:00:00Z"), events.Launched("156"))
    assert story.state.session_state is SessionState.RESTORING
    assert story.on(events.ProfileReady()).actions == [actions.Launch()]


def test_a_session_without_a_browser_has_nothing_to_freeze() -> None:
    assert Story().on(events.Claimed(), events.OwnershipExpired()).state.session_state is SessionState.RESTORING


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (S.TOS_BLOCK, Reason.TEMPORARILY_BANNED),
        (S.SMB_TOS_BLOCK, Reason.TEMPORARILY_BANNED),
        (S.DEPRECATED_VERSION, Reason.CLIENT_OUTDATED),
    ],
)
def test_a_refusal_by_whatsapp_ends_with_code_4_and_keeps_everything(state: S, reason: Reason) -> None:
    story = Story().restored().on(page_events.Changed(facts(state, ALICE)))
    assert story.state.problem is not None
    assert story.state.problem.reason is reason
    shutdown = story.actions[-1]
    assert isinstance(shutdown, actions.Shutdown)
    assert (shutdown.code, shutdown.save) == (ExitCode.PAGE_REFUSED, False)
    assert not story.does(actions.RetireLogin)


def test_a_broken_contract_ends_an_unlinked_worker_by_name_and_leaves_a_linked_one_running() -> None:
    broken = page_events.ContractBroken(("WAWebSocketModel.Socket.state is missing",), page_events.Need.SESSION)
    story = Story().launched().on(broken)
    shutdown = story.actions[-1]
    assert isinstance(shutdown, actions.Shutdown)
    assert shutdown.code is ExitCode.PAGE_REFUSED
    assert "WAWebSocketModel.Socket.state" in shutdown.message
    story = Story().restored().on(broken)
    assert not story.does(actions.Shutdown)
    assert story.state.problem is not None
    assert story.state.problem.reason is Reason.PAGE_CONTRACT_BROKEN


def test_a_crashed_browser_is_started_again_and_gives_up_after_the_sixth_time() -> None:
    story = Story().connected()
    for _ in range(5):
        story.on(events.BrowserGone(Reason.BROWSER_CRASHED, "gone"))
        assert story.actions[-1] == actions.Recycle()
    story.on(events.BrowserGone(Reason.BROWSER_CRASHED, "gone"))
    shutdown = story.actions[-1]
    assert isinstance(shutdown, actions.Shutdown)
    assert shutdown.code is ExitCode.CRASHED


def test_a_start_that_waits_for_room_on_the_disk_says_so_until_it_goes_on() -> None:
    story = Story().on(events.Claimed(), events.RetryingAfter(Reason.RESTORE_FAILED, "no room"))
    assert (story.state.session_state, story.actions) == (SessionState.RESTORING, [])
    assert story.state.problem is not None
    story.on(events.ProfileReady(ALICE.hash))
    assert story.state.problem is None


def test_a_save_that_does_not_end_is_overdue_and_goes_on() -> None:
    story = Story().connected()
    assert story.does(actions.Save)
    story.on(events.Tick(), after=saving.PATIENCE - 1)
    assert story.state.saving.overdue_since == 0.0
    story.on(events.Tick(), after=2)
    since = story.state.saving.overdue_since
    assert (since, story.actions, story.state.saving.running) == (story.now, [], True)
    assert story.state.problem is not None
    assert story.state.problem.reason is Reason.BACKUP_OVERDUE
    story.on(events.Tick(), events.Tick(), after=60)
    assert (story.state.saving.overdue_since, story.actions) == (since, []), "no second save beside the first"
    story.on(events.SaveDone(SAVED))
    assert (story.state.saving.overdue_since, story.state.problem, story.state.saving.running) == (0.0, None, False)


def test_a_save_has_the_time_of_an_interval_at_least() -> None:
    story = Story(replace(SETTINGS, interval=3600)).connected()
    story.on(events.Tick(), after=3599)
    assert story.state.saving.overdue_since == 0.0
    story.on(events.Tick(), after=2)
    assert story.state.saving.overdue_since == story.now


def test_each_save_has_its_own_time() -> None:
    story = Story().connected().on(events.SaveDone(SAVED), after=saving.PATIENCE - 1)
    story.on(events.SaveRequested()).on(events.Tick(), after=10)
    assert story.state.saving.running
    assert story.state.saving.overdue_since == 0.0


def test_browsers_that_end_weeks_apart_while_a_link_is_waited_for_are_not_many_in_a_row() -> None:
    story = Story(replace(SETTINGS, linking_timeout=0)).awaiting()
    for _ in range(10):
        story.on(events.BrowserGone(Reason.BROWSER_CRASHED, "gone"), after=recovery.LIFETIME)
        assert story.actions[-1] == actions.Recycle()
        story.on(events.Launched("156"), page_events.Attached(facts(S.UNPAIRED)))
    for _ in range(5):
        story.on(events.BrowserGone(Reason.BROWSER_CRASHED, "it did not start"), after=recovery.LIFETIME)
        assert story.actions[-1] == actions.Recycle()
    assert story.on(events.BrowserGone(Reason.BROWSER_CRASHED, "it did not start")).does(actions.Shutdown)


@pytest.mark.parametrize("state", [S.TIMEOUT, S.PROXYBLOCK, S.UNKNOWN, S.DELETED])
def test_an_unlinked_session_whose_page_has_trouble_is_not_reconnecting_and_expires(state: S) -> None:
    for story in (Story().launched(), Story().awaiting()):
        story.on(page_events.Changed(facts(state)))
        assert story.state.session_state is SessionState.LAUNCHING, "nothing is linked that could be regained"
        assert story.state.problem is not None
        story.on(page_events.Changed(facts(state)))
        assert story.emitted == ["change_state"]
        story.on(events.LoadFailed("x")).on(events.Tick(), after=1800)
        assert story.state.session_state is SessionState.LINK_EXPIRED
        assert story.does(actions.Shutdown)


def test_nobody_linking_after_a_logout_whose_page_has_trouble_ends_as_logged_out() -> None:
    story = Story().connected().on(page_events.LoggedOut(), page_events.Changed(facts(S.TIMEOUT)))
    assert story.on(events.Tick(), after=1800).state.session_state is SessionState.LOGGED_OUT
    assert story.does(actions.Shutdown)


def test_a_linked_session_whose_page_has_trouble_is_reconnecting_for_as_long_as_it_takes() -> None:
    story = Story().launched(events.ProfileReady(ALICE.hash, SAVED)).on(page_events.Changed(facts(S.TIMEOUT)))
    assert story.state.session_state is SessionState.RECONNECTING
    assert not story.on(events.Tick(), after=1e6).does(actions.Shutdown)


def test_a_late_copy_is_told_until_it_is_up_to_date_and_hides_nothing_worse() -> None:
    story = Story().connected().on(events.CopyFollowed("the copy is late"))
    assert story.state.problem is not None
    assert (story.state.problem.reason, story.state.problem.message) == (Reason.COPY_LATE, "the copy is late")
    assert story.on(events.CopyFollowed("")).state.problem is None
    story.on(events.SaveFailed(Reason.STORE_UNAVAILABLE, "no answer", story.state.login.number))
    story.on(events.CopyFollowed("the copy is late"))
    assert story.state.problem is not None
    assert story.state.problem.reason is Reason.STORE_UNAVAILABLE
