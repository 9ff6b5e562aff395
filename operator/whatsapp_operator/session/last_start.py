"""Tell why the last start failed, until the present start has come further, so that its cause stays visible. Pure."""

from whatsapp_operator.observed.state import Ending, Last, Observed, Ownership, Pod, Report
from whatsapp_operator.session import termination
from whatsapp_session import names, timestamps
from whatsapp_session.conditions import ExitCode, Reason, SessionState

_EARLY = frozenset({SessionState.CLAIMING, SessionState.RESTORING, SessionState.LAUNCHING})


def failure(observed: Observed) -> str | None:
    """Return why the previous start failed, None if it did not or if that is unknown."""
    pod, last = observed.pod, observed.session.last
    if pod is not None and pod.ownership is Ownership.OURS:
        report = termination.fresh_report(observed.session, pod)
        if report is not None and report.problem is not None and report.state is SessionState.LAUNCHING:
            return report.problem.message
        if pod.ending is not None and _is_first(pod, report):
            return _of_the_container(pod.ending)
    return None if pod is not None and pod.uid == last.pod_uid else _of_the_pod(last)


def remedy(observed: Observed, reason: Reason) -> str:
    """Return what the user must do after fixing a setting that never works; "" for other reasons."""
    if reason is not Reason.INVALID_CONFIGURATION:
        return ""
    session = observed.session
    command = f"kubectl annotate was {session.name} -n {session.namespace} --overwrite"
    request = f'{names.request_annotation("restart")}="$(date -u +%FT%TZ)"'
    return f". The worker starts again when the spec changes; after a change of a Secret, run `{command} {request}`"


def _is_first(pod: Pod, report: Report | None) -> bool:
    """Return whether the process in the pod is still starting for the first time: the browser may start again later."""
    if report is None or report.state is None:
        return True
    since, started = timestamps.seconds(report.state_since), timestamps.seconds(pod.running_since)
    if report.state not in _EARLY or since is None or started is None:
        return False
    return since - started < termination.SETTLED_SECONDS


def _of_the_container(ending: Ending) -> str | None:
    if ending.exit_code == ExitCode.DONE:
        return None
    if ending.out_of_memory:
        return "the worker used more memory than its limit"
    return ending.message or f"the worker ended with code {ending.exit_code}; see its log"


def _of_the_pod(last: Last) -> str | None:
    if last.end_time is None or last.exit_code == ExitCode.DONE:
        return None
    return last.end_message or f"the worker ended with code {last.exit_code}; see its log"
