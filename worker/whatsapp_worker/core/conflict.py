"""Decide what to do when the page is opened elsewhere: the newest claim takes the session back. Pure.

Nothing that is asked or done in a conflict is sure to be answered (the store may be away, the browser may stand still,
the page may miss a call), so each is repeated, more and more slowly, until the page says something else.
"""

from dataclasses import replace

from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions, transitions
from whatsapp_worker.core.state import Model

TAKEOVER = Backoff(3.0, 300.0)
"""Pauses before the session is taken back."""
ASKING = Backoff(10.0, 300.0)
"""Pauses until the log is asked again whose the session is."""


def found(model: Model, now: float) -> transitions.Step:
    """Ask whose the session is."""
    if model.state is SessionState.CONFLICT:
        return model, ()
    model = transitions.with_problem(
        transitions.enter(model, SessionState.CONFLICT, now), Reason.CONFLICT, "opened elsewhere", now
    )
    model = replace(model, takeover_due=0.0, owner_asked=0)
    return _asking(model, now, (actions.Emit("disconnected", ("CONFLICT",)),))


def still_owner(model: Model, now: float) -> Model:
    """Take the session back after a while, which is longer each time: two that do so at once would flap."""
    if model.state is not SessionState.CONFLICT or model.takeover_due:
        return model
    return replace(model, takeover_due=now + TAKEOVER.after(model.takeovers + 1))


def tick(model: Model, now: float) -> transitions.Step:
    """Take the session back when it is time, or ask again."""
    if model.state is not SessionState.CONFLICT:
        return model, ()
    if model.takeover_due and now >= model.takeover_due:
        model = replace(model, takeover_due=0.0, takeovers=model.takeovers + 1)
        return replace(model, owner_due=now + ASKING.after(model.owner_asked + 1)), (actions.TakeOver(),)
    if not model.takeover_due and now >= model.owner_due:
        return _asking(model, now)
    return model, ()


def _asking(model: Model, now: float, told: tuple[actions.Action, ...] = ()) -> transitions.Step:
    due = now + ASKING.after(model.owner_asked + 1)
    return replace(model, owner_asked=model.owner_asked + 1, owner_due=due), (*told, actions.CheckOwnership())
