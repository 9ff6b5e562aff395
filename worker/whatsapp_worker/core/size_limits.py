"""Report what exceeds the limits that the user has set; the worker does nothing else about it. Pure."""

from dataclasses import replace

from whatsapp_session.conditions import Reason
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import Problem, State

CALM = 0.9
"""A warning stays until the value is below this part of its limit, so that it does not come and go."""


def judged(settings: Settings, state: State, now: float) -> State:
    """Return the state with the warnings of this moment; one that stays keeps its time and its message."""
    size = state.saving.saved.size if state.saving.saved else 0
    values = (
        (Reason.ARCHIVE_TOO_LARGE, "the latest archive takes", size, settings.archive_warning),
        (Reason.MEMORY_HIGH, "the worker and its browser take", state.usage.memory, settings.memory_warning),
    )
    known = {warning.reason: warning for warning in state.usage.warnings}
    warnings = []
    for reason, what, value, limit in values:
        before = known.get(reason)
        if limit and value > limit * (CALM if before else 1.0):
            message = f"{what} {value / 1e6:.0f} MB, more than the limit of {limit / 1e6:.0f} MB"
            warnings.append(before or Problem(reason, message, now))
    return replace(state, usage=replace(state.usage, warnings=tuple(warnings)))
