"""Delete the pods that a plan gives up, and remove finalizers; post Events where they matter to users."""

from whatsapp_operator.observed.state import Session
from whatsapp_operator.session import events, failover, move, plan, purge
from whatsapp_operator.session.executor import Executor
from whatsapp_operator.session.status_writer import Reporter
from whatsapp_session.conditions import Reason

LATER = (
    "the operator replaced the worker pod a moment ago, on the user's request; it carries out the newer requests"
    " within 5 minutes"
)


async def remove(executor: Executor, reporter: Reporter, session: Session, step: plan.Action) -> None:
    """Carry out one step if it deletes or releases something."""
    match step:
        case plan.DeletePod(uid, reason, message):
            if reason is Reason.REPLACING:
                event = events.EventRecord(reason, message, warning=False, since=uid)
                await reporter.post(session, event)
            await executor.delete_pod(session, step)
        case failover.ForceDeletePod(uid, message):
            await reporter.post(session, events.EventRecord(Reason.NODE_LOST, message, warning=True, since=uid))
            await executor.force_delete_pod(session, step)
        case plan.Postpone(uid):
            await reporter.post(session, events.EventRecord(Reason.REPLACING, LATER, warning=False, since=uid))
        case purge.DeletePurgePod():
            await executor.delete_purge_pod(session, step)
        case move.DeleteMovePod(uid, _, message):
            if message is not None:
                event = events.EventRecord(Reason.REPLACING, message, warning=False, since=uid)
                await reporter.post(session, event)
            await executor.delete_move_pod(session, step)
        case purge.ReleaseSession(message):
            event = events.EventRecord(Reason.STOPPING, message, warning=False, since=session.uid)
            await reporter.post(session, event)
            await executor.release(session, step)
        case _:
            pass
