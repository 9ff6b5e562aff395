"""What starts says why the last start failed; a setting that never works says how to go on after its correction."""

import json
from typing import Any

import pytest

from scenes.operator import samples
from whatsapp_operator.observed.state import Observed
from whatsapp_operator.session import phase
from whatsapp_session.conditions import Phase

Manifest = dict[str, Any]
CAUSE = "Chromium did not start: no room on the disk"
CRASHED = {
    "exitCode": 1,
    "message": json.dumps({"reason": "BrowserCrashed", "message": CAUSE}),
    "startedAt": "2026-01-01T11:59:00Z",
    "finishedAt": "2026-01-01T11:59:50Z",
}
KILLED = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T11:59:50Z"}
DONE = {"exitCode": 0, "message": "", "finishedAt": "2026-01-01T11:59:50Z"}


def last(code: int = 1, **more: Any) -> Manifest:
    """Return a status that remembers how the last pod ended."""
    remembered = {"endReason": "BrowserCrashed", "endMessage": CAUSE, "exitCode": code, "endTime": samples.NOON}
    return {"last": remembered | {"podUID": "another", "templateHash": "other"} | more}


def made(ended: Manifest, state: str | None = None, since: str = "2026-01-01T12:00:05Z", **more: Any) -> Observed:
    """Return a session whose container runs again after it had ended."""
    status = samples.running()
    status["containerStatuses"][0]["lastState"] = {"terminated": ended}
    reported = {} if state is None else samples.report(state, stateSince=since, **more)
    return Observed(samples.session(status=reported), samples.pod(**status), samples.store())


def after(status: Manifest, state: str | None = None, **more: Any) -> Observed:
    """Return a session with a new pod after another one."""
    reported = {} if state is None else samples.report(state, **more)
    worker = status | reported.get("worker", {})
    return Observed(samples.session(status=reported | {"worker": worker}), samples.pod(), samples.store())


FAULT = {"reason": "BrowserCrashed", "message": CAUSE, "time": samples.NOON}
HIDDEN: dict[str, Observed] = {
    "no pod yet": Observed(samples.session(status={"worker": last()}), None, samples.store()),
    "a new pod": after(last()),
    "a new pod that claims": after(last(), "Claiming"),
    "a new pod that restores": after(last(), "Restoring"),
    "a new pod that launches": after(last(), "Launching"),
    "the container runs again": made(CRASHED),
    "the container claims again": made(CRASHED, "Claiming"),
    "the container launches again": made(CRASHED, "Launching"),
    "the browser starts again": samples.observed("Launching", lastError=FAULT),
    "the pod is created": Observed(
        samples.session(status={"worker": last()}),
        samples.pod(**samples.waiting("ContainerCreating")),
        samples.store(),
    ),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_what_starts_says_why_the_last_start_failed(case: str) -> None:
    found = phase.classify(HIDDEN[case], "hash")
    assert found.phase in (Phase.PENDING, Phase.STARTING, Phase.RESTORING)
    assert found.message.endswith(f"; the last start failed: {CAUSE}")


def test_a_worker_that_was_killed_for_memory_says_so_at_its_next_start() -> None:
    assert "used more memory than its limit" in phase.classify(made(KILLED), "hash").message


@pytest.mark.parametrize(
    "observed",
    [
        samples.observed("Launching"),
        made(DONE),
        made(CRASHED, "Connected"),
        made(CRASHED, "Launching", since="2026-01-02T12:00:00Z"),
        after(last(code=0)),
        after({"last": {"linked": True}}),
    ],
    ids=[
        "the first start",
        "a good end",
        "further",
        "a later start of the browser",
        "a pod that ended well",
        "healthy",
    ],
)
def test_nothing_is_said_of_a_start_that_did_not_fail(observed: Observed) -> None:
    assert "the last start failed" not in phase.classify(observed, "hash").message


def test_a_cause_that_is_said_already_is_not_said_twice() -> None:
    away = {"reason": "Reconnecting", "message": "the proxy refuses", "time": samples.NOON}
    message = phase.classify(samples.observed("Launching", lastError=away), "hash").message
    assert message.count("the proxy refuses") == 1


def test_a_setting_that_never_works_says_how_to_go_on_after_its_correction() -> None:
    ended = last(code=2, endReason="InvalidConfiguration", endMessage="no SOCKS proxy", templateHash="hash")
    found = phase.classify(Observed(samples.session(status={"worker": ended}), None, samples.store()), "hash")
    assert found.phase is Phase.FAILED
    assert found.message.startswith("no SOCKS proxy. The worker starts again when the spec changes")
    assert "whatsapp-operator.dev/restart-requested-at=" in found.message
