"""How long the machine waits for a page that stalls, and what it does then."""

from unit.worker.machine_story import ALICE, SAVED, S, Story, facts
from whatsapp_session.conditions import SessionState
from whatsapp_worker import actions as do
from whatsapp_worker import happenings
from whatsapp_worker.page import events as page


def test_a_page_that_loads_itself_again_is_not_connected_until_it_says_so() -> None:
    story = Story().connected().on(happenings.SaveDone(SAVED, True), page.Attached(facts(S.OPENING, ALICE)))
    assert story.model.state is SessionState.RECONNECTING
    assert story.model.proven, "a stop still saves"
    story.on(page.Changed(facts(S.CONNECTED, ALICE, True)))
    assert (story.model.state, story.emitted) == (SessionState.CONNECTED, ["change_state"])
    assert not story.does(do.Save)
