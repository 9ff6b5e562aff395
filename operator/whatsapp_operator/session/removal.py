"""Take away what a plan gives up: pods, and a session's finalizer. Each is told in an Event where a person cares."""

from whatsapp_operator.observed.state import Session
from whatsapp_operator.session import events, move, plan, purge
from whatsapp_operator.session.executor import Actor
from whatsapp_operator.session.status_writer import Reporter
from whatsapp_session.conditions import Reason


async def remove(actor: Actor, reporter: Reporter, session: Session, step: plan.Action) -> None:
    """Carry out one step, if it takes something away."""
    match step:
        case plan.DeletePod(uid, reason, message):
            if reason is Reason.REPLACING:
                happening = events.Happening(reason, message, warning=False, since=uid)
                await reporter.post(session, happening)
            await actor.delete_pod(session, step)
        case purge.DeletePurgePod():
            await actor.delete_purge_pod(session, step)
        case move.DeleteMovePod(uid, _, message):
            if message is not None:
                happening = events.Happening(Reason.REPLACING, message, warning=False, since=uid)
                await reporter.post(session, happening)
            await actor.delete_move_pod(session, step)
        case purge.ReleaseSession(message):
            happening = events.Happening(Reason.STOPPING, message, warning=False, since=session.uid)
            await reporter.post(session, happening)
            await actor.release(session, step)
        case _:
            pass
