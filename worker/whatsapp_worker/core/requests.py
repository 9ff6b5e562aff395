"""Decide what a person's wish does: save, relink, take over. Each is carried out once. Pure."""

from dataclasses import replace

from whatsapp_session import timestamps
from whatsapp_session.conditions import SaveTrigger, SessionState
from whatsapp_worker.core import actions, events, transitions
from whatsapp_worker.core.state import Model, Settings

SAVE, RELINK, TAKEOVER = "save", "relink", "takeover"
_BEFORE_THE_PROFILE = (SessionState.CLAIMING, SessionState.RESTORING)
"""States in which the strategy looks for wishes itself; what it has not seen is asked again at the next renewal."""
Wish = events.SaveRequested | events.RelinkRequested | events.TakeOverRequested


def done(model: Model, wish: str, time: str | None) -> Model:
    """Remember that a wish is carried out; requests without a time leave no trace."""
    if not time or not timestamps.is_newer(time, model.handled.get(wish)):
        return model
    return replace(model, handled={**model.handled, wish: time})


def asked(settings: Settings, model: Model, event: Wish, now: float) -> transitions.Step:
    """Carry a wish out, or remember it; one that was handled, is under way or is older than our claim is ignored."""
    match event:
        case events.SaveRequested(time):
            if _ignored(model, SAVE, time) or (time and time in (model.save_wish, model.saving_wish)):
                return model, ()
            if not settings.saves:
                return done(model, SAVE, time), ()
            return begin_save(replace(model, save_wish=time or model.save_wish or ""), now)
        case events.TakeOverRequested(time):
            if model.state in _BEFORE_THE_PROFILE or _ignored(model, TAKEOVER, time):
                return model, ()
            elsewhere = model.state is SessionState.CONFLICT
            return done(model, TAKEOVER, time), (actions.TakeOver(),) if elsewhere else ()
        case events.RelinkRequested(time):
            if model.state in _BEFORE_THE_PROFILE or _ignored(model, RELINK, time):
                return model, ()
            return _relink(model, time, now)


def _ignored(model: Model, wish: str, time: str) -> bool:
    if not time:
        return False
    moment = timestamps.seconds(time)  # whole seconds, as people write them
    newest = model.handled.get(wish)
    return moment is None or moment < int(model.claimed_at) or not timestamps.is_newer(time, newest)


def begin_save(model: Model, now: float) -> transitions.Step:
    """Begin the save that was asked for if one can begin now; else it begins when one can."""
    if model.save_wish is None or model.saving or model.state is not SessionState.CONNECTED:
        return model, ()
    model = replace(model, saving=True, saving_since=now, saving_wish=model.save_wish, save_wish=None)
    return model, (actions.Save(SaveTrigger.REQUEST),)


def _relink(model: Model, time: str, now: float) -> transitions.Step:
    buried = model.account.hash if model.account else model.known_hash
    told: tuple[actions.Action, ...] = (actions.Emit("disconnected", ("LOGOUT",)),) if buried else ()
    return replace(
        transitions.without_login(transitions.enter(model, SessionState.RESTORING, now)),
        previous_hash=buried or model.previous_hash,
        link_deadline=0.0,
        load_due=0.0,
        frozen_from=None,
        fault=None,
    ), (*told, actions.Relink(buried, time))
