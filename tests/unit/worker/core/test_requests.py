"""Requests: each is carried out once, whoever dies in between, and none of another life."""

from datetime import UTC, datetime
from typing import Any

import pytest

from scenes.worker.machine_story import ALICE, BOB, SAVED, S, Story, facts
from whatsapp_session import timestamps
from whatsapp_session.conditions import Reason, SaveTrigger, SessionState
from whatsapp_worker import errors
from whatsapp_worker.auth import base
from whatsapp_worker.core import actions, events, operator_notes, page_events
from whatsapp_worker.repository import claim, log, records
from whatsapp_worker.stores import memory

T0, T1, T2, T3 = (f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3, 4))


def saved(story: Story) -> Story:
    return story.on(events.SaveDone(SAVED))


def test_a_request_for_a_save_is_told_as_handled_when_it_is_saved_and_carried_out_once() -> None:
    story = saved(Story().connected()).on(events.SaveRequested(T1))
    assert story.actions == [actions.Save(SaveTrigger.REQUEST)]
    assert story.state.requests.handled == {}
    story.on(events.SaveRequested(T1))
    assert story.actions == [], "under way"
    saved(story)
    assert story.state.requests.handled == {"save": T1}
    for time in (T1, T0):
        assert story.on(events.SaveRequested(time)).actions == []
    assert story.on(events.SaveRequested(T2)).does(actions.Save)


def test_a_request_for_a_save_waits_until_there_is_something_to_save() -> None:
    story = Story().awaiting().on(events.SaveRequested(T1))
    assert story.actions == []
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE)), page_events.Synced(facts(S.CONNECTED, ALICE, True)))
    saved(story)
    assert story.state.requests.handled == {"save": T1}, "the first save of a new link fulfils it"


def test_a_request_during_a_save_is_fulfilled_by_the_next_one() -> None:
    story = Story().connected().on(events.SaveRequested(T1))
    saved(story)
    assert story.state.requests.handled == {}, "that save had begun before the request"
    assert story.on(events.Tick()).actions == [actions.Save(SaveTrigger.REQUEST)]
    assert saved(story).state.requests.handled == {"save": T1}


def test_a_save_that_fails_keeps_the_request() -> None:
    story = saved(Story().connected()).on(events.SaveRequested(T1))
    story.on(events.SaveFailed(Reason.STORE_UNAVAILABLE, "ENOSPC"), events.Tick())
    assert not story.does(actions.Save)
    assert story.on(events.Tick(), after=5).does(actions.Save)
    assert saved(story).state.requests.handled == {"save": T1}


def test_a_request_that_is_older_than_our_claim_or_no_time_is_ignored() -> None:
    story = Story().on(events.Claimed(timestamps.seconds(T1) or 0.0), events.ProfileReady(ALICE.hash, SAVED))
    story.on(events.Launched("156"), page_events.Attached(facts(S.CONNECTED, ALICE, True)))
    for time in (T0, "soon", "2026-01-03"):
        for event in (events.SaveRequested(time), events.RelinkRequested(time)):
            assert story.on(event).actions == [], time
    assert story.on(events.RelinkRequested(T2)).does(actions.Relink)


def test_a_request_to_relink_sets_the_login_aside_and_shows_a_code_in_the_same_process() -> None:
    story = saved(Story().connected()).on(events.RelinkRequested(T1))
    assert story.actions == [actions.Emit("disconnected", ("LOGOUT",)), actions.Relink(ALICE.hash, T1)]
    assert (story.state.login.account, story.state.saving.saved, story.state.login.known_hash) == (None, None, "")
    story.on(page_events.LoggedOut(), page_events.Attached(facts(S.UNPAIRED)), events.RelinkRequested(T1))
    assert story.actions == [], "what the old browser says no longer matters, and the request is under way"
    story.on(events.ProfileReady(handled=(("relink", T1),)))
    assert story.actions == [actions.Launch()]
    assert story.state.requests.handled == {"relink": T1}
    story.on(events.Launched("156"), page_events.Attached(facts(S.UNPAIRED)), page_events.Qr("2@new"))
    assert story.state.session_state is SessionState.AWAITING_LINK
    assert not story.does(actions.RestorePrevious)
    story.on(page_events.Changed(facts(S.CONNECTED, BOB)), page_events.Synced(facts(S.CONNECTED, BOB, True)))
    assert actions.Save(SaveTrigger.FIRST_LINK) in story.actions


def test_a_save_that_ends_after_the_login_is_gone_says_nothing() -> None:
    story = Story().connected().on(events.RelinkRequested(T1))
    saved(story)
    assert (story.state.saving.saved, story.emitted) == (None, [])


def test_in_a_conflict_a_request_to_take_over_is_carried_out_at_once() -> None:
    story = Story().connected().on(page_events.Changed(facts(S.CONFLICT, ALICE)), events.TakeOverRequested(T1))
    assert story.actions[-1] == actions.TakeOver()
    assert story.state.requests.handled == {"takeover": T1}


def test_a_session_that_is_ours_has_nothing_to_take_over() -> None:
    story = Story().connected().on(events.TakeOverRequested(T1))
    assert (story.actions, story.state.requests.handled) == ([], {"takeover": T1})


# At a start, by the log.


class Place:
    """One store on which pods claim one session, one after the other."""

    def __init__(self) -> None:
        self.store = memory.MemoryStore()

    def claimer(self, pod: str, found: operator_notes.Notes, session: str = "uid", **more: Any) -> claim.Claimer:
        owner = records.Owner(cluster="c", namespace="n", session_uid=session, pod_uid=pod, host="wa-x", pid=len(pod))
        context = base.Context(owner, "https://x/", lambda: "", lease_notes=lambda: found, **more)
        self.log = log.SessionLog(self.store, "RemoteAuth-x", owner)
        return claim.Claimer(self.log, self.store, context.asked)


def soon(seconds: float) -> str:
    """Return a time that a clock which is fast has given a request."""
    return log.stamp(datetime.now(UTC).timestamp() + seconds)


def requested(**times: str) -> operator_notes.Notes:
    return operator_notes.Notes(times)


def test_a_request_to_relink_that_waited_for_the_start_is_carried_out_once() -> None:
    place = Place()
    place.claimer("one", requested()).claim()
    future = soon(600)
    claimed = place.claimer("two", requested(relink=future)).claim()
    assert claimed.terms.relink == future
    again = place.claimer("two", requested(relink=future)).claim()
    assert again.terms.relink == future, "the same pod died before it had done it"
    place.log.append(records.Logout("aa", future))
    for pod in ("two", "three"):
        terms = place.claimer(pod, requested(relink=future)).claim().terms
        assert (terms.relink, terms.handled) == (None, (("relink", future),)), "done, though nobody heard of it"


def test_a_request_that_is_older_than_another_pods_claim_is_ignored_at_a_start() -> None:
    place = Place()
    place.claimer("one", requested()).claim()
    claimed = place.claimer("two", requested(relink=T1, takeover=T1)).claim()
    assert (claimed.terms.relink, claimed.terms.handled) == (None, ())


def test_another_owners_session_is_taken_on_a_newer_request_only_and_only_once() -> None:
    place = Place()
    place.claimer("one", requested(), session="theirs").claim()
    for found in (requested(), requested(takeover=T1)):
        with pytest.raises(errors.SessionInUse):
            place.claimer("two", found).claim()
    future = soon(600)
    claimed = place.claimer("two", requested(takeover=future)).claim()
    assert (claimed.terms.handled, claimed.wait) == ((("takeover", future),), 62.0)
    assert claimed.record.body == records.Claim(60, future, 62.0)
    assert place.claimer("two", requested(takeover=future)).claim().terms.handled == ((("takeover", future)),), (
        "ours already"
    )
    place.claimer("one", requested(takeover=soon(700)), session="theirs").claim()
    with pytest.raises(errors.SessionInUse):
        place.claimer("two", requested(takeover=future)).claim()


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
def test_who_is_ended_while_it_waits_leaves_the_wait_to_its_successor(clean: bool) -> None:
    place = Place()
    place.claimer("one", requested(), session="theirs").claim()
    taker = place.claimer("two", requested(takeover=soon(600)))
    assert taker.claim().wait == 62.0
    if clean:
        taker.release()
    gone = operator_notes.Notes({}, terminated_pod_uid="two")
    third = place.claimer("three", gone)
    assert third.claim().wait == 62.0, "the owner that was taken over may still run"
    third.waited()
    third.release()
    assert place.claimer("four", requested()).claim().wait == 0.0


def test_a_start_with_the_flag_relinks_without_a_request() -> None:
    assert Place().claimer("one", requested(), relink=True).claim().terms.relink == ""


def test_a_store_that_never_held_a_login_is_refused_when_the_account_is_known() -> None:
    place = Place()
    claimer = place.claimer("one", operator_notes.Notes(known_account="aa"))
    claimer.claim()
    with pytest.raises(errors.ArchiveMissing, match="correct the store"):
        claimer.refuse_the_wrong_store()
    place.log.append(records.Logout("aa"))
    claimer.refuse_the_wrong_store()


def test_a_store_is_not_refused_when_no_account_is_known() -> None:
    claimer = Place().claimer("one", operator_notes.Notes())
    claimer.claim()
    claimer.refuse_the_wrong_store()
