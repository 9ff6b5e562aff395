"""Tell what exceeds the limits that the user has set; nothing is done about it. Pure."""

from dataclasses import replace

from whatsapp_session.conditions import Reason
from whatsapp_worker.core.state import Model, Problem, Settings

CALM = 0.9
"""A warning stays until the value is below this part of its limit, so that it does not come and go."""


def judged(settings: Settings, model: Model, now: float) -> Model:
    """Return the model with the warnings of this moment; one that stays keeps its time and its words."""
    size = model.saved.size if model.saved else 0
    values = (
        (Reason.ARCHIVE_TOO_LARGE, "the newest archive has", size, settings.archive_warning),
        (Reason.MEMORY_HIGH, "worker and browser take", model.memory, settings.memory_warning),
    )
    before = {warning.reason: warning for warning in model.warnings}
    found = []
    for reason, what, value, limit in values:
        stands = before.get(reason)
        if limit and value > limit * (CALM if stands else 1.0):
            message = f"{what} {value / 1e6:.0f} MB, more than the limit of {limit / 1e6:.0f} MB that was set"
            found.append(stands or Problem(reason, message, now))
    return replace(model, warnings=tuple(found)) if tuple(found) != model.warnings else model
