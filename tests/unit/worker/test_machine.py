"""The worker's machine: what it decides in each situation, and what holds in every one."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_session.conditions import ExitCode, Reason, SaveTrigger, SessionState
from whatsapp_worker import actions as do
from whatsapp_worker import happenings, linking, machine
from whatsapp_worker import model as m
from whatsapp_worker.page import events as page

ALICE = page.Account("4915112345678:3@c.us", "Alice", "android")
BOB = page.Account("4917087654321@c.us", "Bob", "iphone")
SETTINGS = m.Settings(interval=300, linking_timeout=1800)
S = page.SocketState


def facts(state: S, account: page.Account | None = None, synced: bool = False) -> page.Facts:
    return page.Facts(state, synced, account, "2.3000")


class Story:
    """Drive a machine through events and remember its actions."""

    def __init__(self, settings: m.Settings = SETTINGS) -> None:
        self.settings = settings
        self.model = m.Model()
        self.now = 1000.0
        self.actions: list[do.Action] = []

    def on(self, *events: happenings.Event, after: float = 0.0) -> "Story":
        self.actions = []
        for event in events:
            self.now += after
            self.model, actions = machine.step(self.settings, self.model, event, self.now)
            self.actions += actions
        return self

    def launched(self, prepared: happenings.Prepared | None = None) -> "Story":
        return self.on(happenings.Claimed(), prepared or happenings.Prepared(), happenings.Launched("156.0"))

    def awaiting(self) -> "Story":
        return self.launched().on(page.Attached(facts(S.UNPAIRED)), page.Qr("2@one"))

    def connected(self) -> "Story":
        return self.awaiting().on(page.Changed(facts(S.CONNECTED, ALICE)), page.Synced(facts(S.CONNECTED, ALICE, True)))

    def restored(self) -> "Story":
        prepared = happenings.Prepared(ALICE.hash, SAVED, m.Restored(4, 900.0))
        return self.launched(prepared).on(page.Attached(facts(S.CONNECTED, ALICE, True)))

    @property
    def emitted(self) -> list[str]:
        return [action.name for action in self.actions if isinstance(action, do.Emit)]

    def does(self, kind: type[do.Action]) -> bool:
        return any(isinstance(action, kind) for action in self.actions)


SAVED = m.Saved(4, 800.0, 1000, "digest", "Interval")


def test_a_fresh_session_goes_from_claim_to_code_to_ready_in_the_guides_order() -> None:
    story = Story().on(happenings.Claimed())
    assert story.model.state is SessionState.RESTORING
    story.on(happenings.Prepared())
    assert story.actions == [do.Launch()]
    story.on(happenings.Launched("156.0"), page.Attached(facts(S.OPENING)))
    assert story.model.state is SessionState.LAUNCHING
    story.on(page.Changed(facts(S.UNPAIRED)), page.Qr("2@one"))
    assert (story.model.state, story.emitted) == (SessionState.AWAITING_LINK, ["change_state", "qr"])
    story.on(page.Changed(facts(S.PAIRING)), page.Changed(facts(S.CONNECTED, ALICE)), page.Progress(40))
    assert (story.model.state, story.model.qr) == (SessionState.SYNCING, None)
    assert story.emitted[-1] == "loading_screen"
    story.on(page.Synced(facts(S.CONNECTED, ALICE, True)))
    assert story.emitted == ["authenticated", "ready"]
    assert do.Save(SaveTrigger.FIRST_LINK) in story.actions, (
        "saved at once: a link that is not saved is lost by a restart"
    )
    story.on(happenings.SaveDone(SAVED, changed=True))
    assert story.emitted == ["remote_session_saved"]


def test_a_restored_session_is_ready_without_a_code() -> None:
    story = Story().restored()
    assert story.model.state is SessionState.CONNECTED
    assert story.emitted == ["authenticated", "ready"]
    assert not story.does(do.Save)
    story.on(happenings.Tick(), after=linking.SAVE_AFTER_RESTORE)
    assert story.actions == [do.Save(SaveTrigger.INTERVAL)], "the login itself moved the ratchet on"


def test_the_first_code_lives_a_minute_and_the_next_ones_20_seconds() -> None:
    story = Story().awaiting()
    assert story.model.qr is not None
    assert story.model.qr.expires_at - story.now == 60
    story.on(page.Qr("2@two"), after=60)
    assert story.model.qr is not None
    assert (story.model.qr.attempt, story.model.qr.expires_at - story.now) == (2, 20)
    story.on(happenings.Tick(), after=20)
    assert story.model.qr is None, "an expired code is not shown"


def test_codes_that_are_used_up_are_refreshed_until_the_linking_timeout() -> None:
    story = Story().awaiting().on(page.Changed(facts(S.UNPAIRED_IDLE)), after=160)
    assert story.does(do.RefreshQr)
    story.on(page.Qr("2@seven"))
    assert story.model.qr is not None
    assert story.model.qr.expires_at - story.now == 60
    story.on(happenings.Tick(), after=1800)
    assert story.model.state is SessionState.LINK_EXPIRED
    assert story.actions == [do.Shutdown(ExitCode.DONE, Reason.QR_EXPIRED, "nobody linked a phone in time", save=False)]


def test_without_a_limit_a_browser_waits_for_ever() -> None:
    story = Story(replace(SETTINGS, linking_timeout=0)).awaiting().on(happenings.Tick(), after=1e7)
    assert story.model.state is SessionState.AWAITING_LINK


def test_a_page_that_had_synced_before_anybody_listened_is_ready() -> None:
    story = Story().awaiting().on(page.Attached(facts(S.CONNECTED, ALICE, True)))
    assert story.emitted == ["authenticated", "ready"]


def test_ready_comes_once_however_often_the_page_syncs_again() -> None:
    story = (
        Story()
        .connected()
        .on(
            page.Changed(facts(S.TIMEOUT, ALICE)),
            page.Changed(facts(S.CONNECTED, ALICE)),
            page.Synced(facts(S.CONNECTED, ALICE, True)),
        )
    )
    assert story.model.state is SessionState.CONNECTED
    assert "ready" not in story.emitted
    assert not story.does(do.Save)


def test_a_lost_connection_is_reconnecting_and_deletes_nothing() -> None:
    for state in (S.TIMEOUT, S.OPENING, S.PROXYBLOCK, S.DELETED, S.UNKNOWN):
        story = Story().connected().on(page.Changed(facts(state, ALICE)))
        assert story.model.state is SessionState.RECONNECTING, state
        assert not story.does(do.BuryLogin), state


def test_a_site_that_is_down_is_tried_again_with_backoff() -> None:
    story = Story().launched(happenings.Prepared(ALICE.hash, SAVED))
    for pause in (2, 4, 8, 16, 32, 60, 60):
        story.on(happenings.LoadFailed("net::ERR_CONNECTION_REFUSED"))
        assert story.model.state is SessionState.RECONNECTING
        story.on(happenings.Tick(), after=pause - 0.1)
        assert not story.does(do.Load)
        story.on(happenings.Tick(), after=0.1)
        assert story.actions == [do.Load()]


def test_a_load_that_fails_is_counted_once_however_it_is_told() -> None:
    story = Story().launched(happenings.Prepared(ALICE.hash, SAVED)).on(happenings.LoadFailed("it answered 503"))
    story.on(page.NotThePage(503))
    assert story.model.load_failures == 1
    assert story.model.state is SessionState.RECONNECTING
    assert story.model.fault is not None
    assert (story.model.fault.reason, story.model.fault.message) == (Reason.RECONNECTING, "the site answered 503")
    assert story.on(happenings.Tick(), after=2).does(do.Load)


def test_a_page_that_is_none_of_whatsapps_is_loaded_again_and_after_a_while_said_to_have_changed() -> None:
    foreign = page.NotThePage(200, ("window.require", "window.Debug.VERSION"))
    for linked in (False, True):
        story = Story().launched(happenings.Prepared(ALICE.hash, SAVED) if linked else None)
        for _ in range(linking.FOREIGN_LOADS):
            story.on(foreign)
            assert not story.does(do.Shutdown)
            assert story.model.fault is not None
            assert story.model.fault.reason is Reason.RECONNECTING
            assert story.on(happenings.Tick(), after=61).does(do.Load)
        story.on(foreign)
        assert story.does(do.Shutdown) is not linked, "a linked session waits for its page for ever"
    for status in (503, 403):
        story = Story().launched()
        for _ in range(20):
            story.on(page.NotThePage(status), happenings.Tick(), after=61)
            assert not story.does(do.Shutdown)


def test_a_dead_page_is_closed_gently_and_what_it_had_not_saved_is_saved_when_it_is_back() -> None:
    story = Story().connected().on(happenings.SaveDone(SAVED, True), happenings.BrowserGone(Reason.PAGE_DEAD, "dead"))
    assert story.actions[-1] == do.Recycle(gently=True)
    story.on(happenings.Launched("156"), page.Attached(facts(S.CONNECTED, ALICE, True)), happenings.Tick())
    assert story.actions == [do.Save(SaveTrigger.INTERVAL)]


def test_what_exceeds_the_users_limits_is_told_until_it_is_clearly_below_and_nothing_is_done() -> None:
    story = Story(replace(SETTINGS, archive_warning=900, memory_warning=1000)).connected()
    story.on(happenings.SaveDone(SAVED, True), happenings.Measured(1001))
    assert [warning.reason for warning in story.model.warnings] == [Reason.ARCHIVE_TOO_LARGE, Reason.MEMORY_HIGH]
    assert not [action for action in story.actions if not isinstance(action, do.Emit)]
    assert story.model.fault is None
    story.on(happenings.Measured(950))
    assert len(story.model.warnings) == 2
    story.on(happenings.Measured(899))
    assert [warning.reason for warning in story.model.warnings] == [Reason.ARCHIVE_TOO_LARGE]
    assert Story().connected().on(happenings.Measured(1 << 40)).model.warnings == ()


def test_a_session_without_a_witness_stands_still_and_then_goes_on_where_it_was() -> None:
    story = Story().connected().on(happenings.SaveDone(SAVED, True), happenings.Silenced())
    assert story.model.state is SessionState.FROZEN
    assert story.model.fault is not None
    assert story.model.fault.reason is Reason.FROZEN
    late = (page.Changed(facts(S.UNPAIRED)), happenings.Tick(), happenings.BrowserGone(Reason.PAGE_DEAD, "x"))
    story.on(*late, after=1000)
    assert (story.actions, story.model.state) == ([], SessionState.FROZEN), "nothing is done meanwhile"
    story.on(happenings.Answered())
    assert (story.model.state, story.model.fault, story.actions) == (SessionState.CONNECTED, None, [])


def test_a_browser_that_ended_while_it_stood_still_is_started_again_when_it_may() -> None:
    story = Story().connected().on(happenings.Silenced(), happenings.BrowserGone(Reason.BROWSER_CRASHED, "killed"))
    assert story.actions == []
    assert story.on(happenings.Answered()).actions == [do.Recycle()]
    assert story.model.state is SessionState.LAUNCHING


def test_a_session_without_a_browser_has_nothing_to_freeze() -> None:
    assert Story().on(happenings.Claimed(), happenings.Silenced()).model.state is SessionState.RESTORING


_EACH_EVENT: tuple[happenings.Event, ...] = (
    *(kind(facts(state, ALICE, True)) for kind in (page.Attached, page.Changed, page.Synced) for state in S),
    page.Qr("2@x"),
    page.Progress(50),
    page.LoggedOut(),
    page.PasskeyAsked(),
    page.ContractBroken(("X",), session=True),
    page.NotThePage(503),
    page.NotThePage(200, ("X", "Y")),
    happenings.Claimed(),
    happenings.Prepared(),
    happenings.Launched("156"),
    happenings.LoadFailed("x"),
    happenings.BrowserGone(Reason.BROWSER_CRASHED, "x"),
    happenings.SaveDone(SAVED, changed=True),
    happenings.SaveFailed(Reason.SNAPSHOT_FAILED, "x"),
    happenings.Fatal(ExitCode.CRASHED, Reason.CRASH_LOOP, "x"),
    happenings.StillOwner(),
    happenings.CodeShown("AAAA-BBBB"),
    happenings.SaveRequested(),
    happenings.RelinkRequested("2026-01-01T00:00:00Z"),
    happenings.TakeOverRequested("2026-01-01T00:00:00Z"),
    happenings.StopRequested(),
    happenings.Troubled(Reason.STORE_UNAVAILABLE, "x"),
    happenings.Silenced(),
    happenings.Answered(),
    happenings.Measured(1),
    happenings.Tick(),
)
_ENDED = (SessionState.STOPPING, SessionState.LINK_EXPIRED, SessionState.SUPERSEDED, SessionState.FAILED)


def test_the_list_of_each_event_is_complete() -> None:
    assert {type(event) for event in _EACH_EVENT} == set(get_args(happenings.Event))


@pytest.mark.parametrize("state", list(SessionState))
def test_every_event_is_answered_in_every_state_and_the_promises_hold(state: SessionState) -> None:
    for event in _EACH_EVENT:
        for account in (None, ALICE):
            story = Story()
            story.model = m.Model(state, account=account, known_hash=account.hash if account else "", proven=True)
            story.on(event)
            if state in _ENDED:
                assert not [action for action in story.actions if not isinstance(action, do.Emit)], event
                assert story.model.state is state, event
            if story.does(do.BuryLogin):
                assert isinstance(event, page.LoggedOut), "only a logout buries a login"
            if story.does(do.Relink):
                assert isinstance(event, happenings.RelinkRequested), "only a person sets a login aside"
            if story.does(do.Save):
                assert story.model.state is SessionState.CONNECTED, event
            if story.does(do.Shutdown):
                assert story.model.state in (*_ENDED, SessionState.LOGGED_OUT), event


def test_a_logout_from_the_phone_buries_the_login_and_shows_a_new_code_in_the_same_process() -> None:
    story = Story().connected().on(happenings.SaveDone(SAVED, True), page.LoggedOut())
    assert story.actions[-2:] == [do.BuryLogin(ALICE.hash), do.Emit("disconnected", ("LOGOUT",))]
    assert story.model.state is SessionState.LOGGED_OUT
    story.on(page.LoggedOut())
    assert story.actions == [], "the address says it once more"
    story.on(page.Attached(facts(S.UNPAIRED)), page.Qr("2@new"))
    assert (story.model.state, story.emitted) == (SessionState.AWAITING_LINK, ["qr"])
    assert story.model.saved is None
    story.on(page.Changed(facts(S.CONNECTED, ALICE)), page.Synced(facts(S.CONNECTED, ALICE, True)))
    assert do.Save(SaveTrigger.FIRST_LINK) in story.actions, "the next save is a real one"


def test_a_logout_of_a_restored_session_is_no_failed_restore() -> None:
    story = (
        Story().launched(happenings.Prepared(ALICE.hash, SAVED)).on(page.Attached(facts(S.OPENING)), page.LoggedOut())
    )
    assert story.does(do.BuryLogin)
    story.on(page.Attached(facts(S.UNPAIRED)))
    assert not story.does(do.FallBack)


def test_nobody_linking_after_a_logout_ends_as_logged_out() -> None:
    story = Story().connected().on(page.LoggedOut(), page.Attached(facts(S.UNPAIRED))).on(happenings.Tick(), after=1800)
    assert story.model.state is SessionState.LOGGED_OUT
    assert story.actions[0] == do.Shutdown(
        ExitCode.DONE, Reason.LOGGED_OUT_FROM_PHONE, "nobody linked a phone in time", save=False
    )


def test_a_restored_profile_without_its_login_falls_back_and_says_so() -> None:
    story = (
        Story()
        .launched(happenings.Prepared(ALICE.hash, SAVED, m.Restored(4, 900.0)))
        .on(page.Attached(facts(S.UNPAIRED)))
    )
    assert story.does(do.FallBack)
    assert story.emitted == ["auth_failure"]
    assert story.model.fault is not None
    assert story.model.fault.reason is Reason.RESTORE_FAILED
    assert not story.does(do.BuryLogin)
    story.on(happenings.Prepared("", None, None), happenings.Launched("156"), page.Attached(facts(S.UNPAIRED)))
    assert story.model.state is SessionState.AWAITING_LINK


def test_in_a_conflict_the_newest_claim_takes_the_session_back_and_nothing_is_deleted() -> None:
    story = Story().connected().on(page.Changed(facts(S.CONFLICT, ALICE)))
    assert story.actions[-1] == do.AskOwner()
    assert not story.does(do.BuryLogin)
    story.on(happenings.StillOwner()).on(happenings.Tick(), after=machine.TAKEOVER_DELAY)
    assert story.actions == [do.TakeOver()]
    story.on(page.Changed(facts(S.CONNECTED, ALICE, True)))
    assert story.model.state is SessionState.CONNECTED


def test_a_repeated_conflict_is_answered_more_and_more_slowly() -> None:
    story, pauses = Story().connected(), []
    for _ in range(3):
        story.on(page.Changed(facts(S.CONFLICT, ALICE)), happenings.StillOwner())
        pauses.append(story.model.takeover_due - story.now)
        story.on(happenings.Tick(), after=pauses[-1])
        assert story.does(do.TakeOver)
        story.model = replace(story.model, state=SessionState.RECONNECTING)
    assert pauses == [3, 6, 12]


def test_a_worker_that_is_superseded_leaves_without_saving() -> None:
    story = Story().connected().on(happenings.Fatal(ExitCode.DONE, Reason.SUPERSEDED, "slot 9 was taken"))
    assert story.model.state is SessionState.SUPERSEDED
    assert story.actions == [do.Shutdown(ExitCode.DONE, Reason.SUPERSEDED, "slot 9 was taken", save=False)]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (S.TOS_BLOCK, Reason.TEMPORARILY_BANNED),
        (S.SMB_TOS_BLOCK, Reason.TEMPORARILY_BANNED),
        (S.DEPRECATED_VERSION, Reason.CLIENT_OUTDATED),
    ],
)
def test_a_refusal_by_whatsapp_ends_with_code_4_and_keeps_everything(state: S, reason: Reason) -> None:
    story = Story().restored().on(page.Changed(facts(state, ALICE)))
    assert story.model.fault is not None
    assert story.model.fault.reason is reason
    shutdown = story.actions[-1]
    assert isinstance(shutdown, do.Shutdown)
    assert (shutdown.code, shutdown.save) == (ExitCode.PAGE_REFUSED, False)
    assert not story.does(do.BuryLogin)


def test_a_broken_contract_ends_an_unlinked_worker_by_name_and_leaves_a_linked_one_running() -> None:
    broken = page.ContractBroken(("WAWebSocketModel.Socket.state",), session=True)
    story = Story().launched().on(broken)
    shutdown = story.actions[-1]
    assert isinstance(shutdown, do.Shutdown)
    assert shutdown.code is ExitCode.PAGE_REFUSED
    assert "WAWebSocketModel.Socket.state" in shutdown.message
    story = Story().restored().on(broken)
    assert not story.does(do.Shutdown)
    assert story.model.fault is not None
    assert story.model.fault.reason is Reason.PAGE_CONTRACT_BROKEN


def test_a_crashed_browser_is_started_again_and_gives_up_after_the_sixth_time() -> None:
    story = Story().connected()
    for _ in range(5):
        story.on(happenings.BrowserGone(Reason.BROWSER_CRASHED, "gone"))
        assert story.actions[-1] == do.Recycle()
    story.on(happenings.BrowserGone(Reason.BROWSER_CRASHED, "gone"))
    shutdown = story.actions[-1]
    assert isinstance(shutdown, do.Shutdown)
    assert shutdown.code is ExitCode.CRASHED


def test_another_phone_than_the_expected_one_is_unlinked_at_once() -> None:
    story = Story(replace(SETTINGS, expected_account="+49 151 12345678")).awaiting()
    story.on(page.Changed(facts(S.CONNECTED, BOB)))
    assert story.actions[-1] == do.Unlink()
    assert not story.does(do.Save)
    story.on(page.Changed(facts(S.CONNECTED, ALICE)))
    assert not story.does(do.Unlink)


def test_a_failed_save_is_told_and_tried_again_and_the_session_goes_on() -> None:
    story = Story().connected().on(happenings.SaveFailed(Reason.STORE_UNAVAILABLE, "ENOSPC"))
    assert story.model.state is SessionState.CONNECTED
    assert story.model.fault is not None
    assert (story.model.fault.reason, story.model.overdue_since) == (Reason.STORE_UNAVAILABLE, story.now)
    story.on(happenings.Tick(), after=2)
    assert story.actions == [do.Save(SaveTrigger.FIRST_LINK)]
    story.on(happenings.SaveDone(SAVED, True))
    assert (story.model.fault, story.model.overdue_since) == (None, 0.0)


def test_saves_never_overlap() -> None:
    story = Story().connected()
    assert story.does(do.Save)
    story.on(happenings.SaveRequested(), happenings.Tick(), after=400)
    assert not story.does(do.Save)


def test_an_unchanged_profile_counts_as_saved_and_is_not_announced() -> None:
    story = Story().connected().on(happenings.SaveDone(SAVED, changed=False))
    assert story.emitted == []
    story.on(happenings.Tick(), after=300)
    assert story.actions == [do.Save(SaveTrigger.INTERVAL)]


def test_a_stop_saves_and_the_last_save_is_still_announced() -> None:
    story = Story().connected().on(happenings.StopRequested())
    assert story.model.state is SessionState.STOPPING
    assert story.actions == [do.Shutdown(ExitCode.DONE, None, "stopped as asked")]
    assert story.on(happenings.SaveDone(SAVED, True)).emitted == ["remote_session_saved"]


def test_a_last_save_that_fails_is_the_last_word() -> None:
    story = (
        Story().connected().on(happenings.StopRequested(), happenings.SaveFailed(Reason.STORE_UNAVAILABLE, "ENOSPC"))
    )
    assert story.model.fault is not None
    assert (story.model.fault.reason, story.model.overdue_since) == (Reason.STORE_UNAVAILABLE, story.now)


def test_a_pairing_code_is_renewed_when_its_time_is_over() -> None:
    story = Story(replace(SETTINGS, phone_number="4915112345678")).launched().on(page.Attached(facts(S.UNPAIRED)))
    story.on(happenings.CodeShown("ABCD-EFGH"), happenings.Tick(), after=linking.PAIRING_CODE_SECONDS / 2)
    assert not story.does(do.AskPairingCode)
    story.on(happenings.Tick(), after=linking.PAIRING_CODE_SECONDS)
    assert story.actions == [do.AskPairingCode()]
    assert story.model.pairing_code == ""


def test_a_page_that_is_silent_while_it_syncs_is_loaded_again() -> None:
    story = Story().awaiting().on(page.Changed(facts(S.CONNECTED, ALICE)))
    story.on(happenings.Tick(), after=machine.SYNC_PATIENCE + 1)
    assert story.actions == [do.Load()]
    assert story.model.fault is not None
    assert story.model.fault.reason is Reason.SYNCING


def test_a_slow_sync_that_makes_progress_is_left_alone() -> None:
    story = Story().awaiting().on(page.Changed(facts(S.CONNECTED, ALICE)))
    for percent in range(0, 100, 10):
        story.on(page.Progress(percent), happenings.Tick(), after=100)
        assert not story.does(do.Load)


def test_a_pairing_code_is_asked_for_and_shown() -> None:
    story = Story(replace(SETTINGS, phone_number="4915112345678")).launched().on(page.Attached(facts(S.UNPAIRED)))
    assert story.actions == [do.AskPairingCode()]
    story.on(happenings.CodeShown("ABCD-EFGH"))
    assert (story.emitted, story.model.pairing_code) == (["code"], "ABCD-EFGH")


# What holds for every sequence of events.

_ACCOUNTS = st.sampled_from([None, ALICE, BOB])
_FACTS = st.builds(page.Facts, st.sampled_from(list(S)), st.booleans(), _ACCOUNTS, st.just("2.3000"))
_TIMES = ["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "1970-01-01T00:00:00Z", "soon"]
_EVENTS: st.SearchStrategy[happenings.Event] = st.one_of(
    st.builds(page.Attached, _FACTS),
    st.builds(page.Changed, _FACTS),
    st.builds(page.Synced, _FACTS),
    st.builds(page.Qr, st.just("2@x")),
    st.builds(page.Progress, st.integers(0, 100)),
    st.just(page.LoggedOut()),
    st.builds(page.ContractBroken, st.just(("X",)), st.booleans()),
    st.just(happenings.Claimed()),
    st.builds(happenings.Prepared, st.sampled_from(["", ALICE.hash]), st.sampled_from([None, SAVED])),
    st.just(happenings.Launched("156")),
    st.just(happenings.LoadFailed("x")),
    st.just(happenings.BrowserGone(Reason.PAGE_DEAD, "x")),
    st.builds(happenings.SaveDone, st.just(SAVED), st.booleans()),
    st.just(happenings.SaveFailed(Reason.SNAPSHOT_FAILED, "x")),
    st.just(happenings.Fatal(ExitCode.DONE, Reason.SUPERSEDED, "x")),
    st.just(happenings.StillOwner()),
    st.just(happenings.CodeShown("AAAA-BBBB")),
    st.just(happenings.SaveRequested()),
    st.builds(happenings.SaveRequested, st.sampled_from(_TIMES)),
    st.builds(happenings.RelinkRequested, st.sampled_from(_TIMES)),
    st.builds(happenings.TakeOverRequested, st.sampled_from(_TIMES)),
    st.just(happenings.StopRequested()),
    st.builds(page.NotThePage, st.sampled_from([200, 503]), st.sampled_from([(), ("X", "Y")])),
    st.builds(happenings.Measured, st.integers(0, 1 << 40)),
    st.just(page.PasskeyAsked()),
    st.just(happenings.Silenced()),
    st.just(happenings.Answered()),
    st.just(happenings.Troubled(Reason.STORE_UNAVAILABLE, "x")),
    st.just(happenings.Tick()),
)


@given(st.lists(st.tuples(_EVENTS, st.floats(0, 500)), max_size=60))
def test_in_every_story_the_promises_hold(events: list[tuple[happenings.Event, float]]) -> None:
    story, ended = Story(), False
    for event, after in events:
        before = story.model
        story.on(event, after=after)
        assert not (ended and story.does(do.Launch)), "nothing starts after the end"
        if story.does(do.BuryLogin):
            assert isinstance(event, page.LoggedOut), "only a logout buries a login"
        if before.state is SessionState.FROZEN and story.model.state is SessionState.FROZEN:
            assert not [a for a in story.actions if not isinstance(a, do.Emit)], "nothing is done meanwhile"
        if story.does(do.Relink):
            assert isinstance(event, happenings.RelinkRequested), "only a person sets a login aside"
            assert story.model.account is None
            assert story.model.saved is None
        for wish, time in before.handled.items():
            assert story.model.handled[wish] >= time, "what was handled stays handled"
        if story.does(do.Save):
            assert story.model.state is SessionState.CONNECTED
            assert story.model.account is not None
            assert not before.saving, "saves do not overlap"
        if story.model.qr is not None:
            assert story.model.state in (SessionState.AWAITING_LINK, SessionState.LAUNCHING, SessionState.LOGGED_OUT)
        assert sum(isinstance(action, do.Shutdown) for action in story.actions) <= (0 if ended else 1)
        ended = ended or story.does(do.Shutdown)
        assert "2@x" not in repr((story.model, story.actions)), "no code in any repr"
        assert "4915112345678" not in repr((story.model, story.actions)), "no full number in any repr"
