"""Parse the observed state of one store into frozen values."""

from dataclasses import dataclass, field

from whatsapp_operator.manifests import store_access
from whatsapp_operator.observed import evictions
from whatsapp_operator.observed.ages import Ages
from whatsapp_operator.observed.pod_parsing import parse_pod, reason
from whatsapp_operator.observed.state import Ownership, Pod, Problem, Resource, Store, StoreReport
from whatsapp_operator.session import pod_startup
from whatsapp_session import names
from whatsapp_session.conditions import Reason
from whatsapp_session.untrusted import flag, integer, mapping, mappings, text, text_or_none


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a check."""

    ok: bool
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """``status.check``: the last check and its result."""

    verdict: Verdict
    time: str
    generation: int
    template_hash: str | None
    pod_uid: str | None
    failures: int


@dataclass(frozen=True, slots=True)
class CheckPod:
    """The pod with the name of the check pod."""

    uid: str
    ownership: Ownership
    deleting: bool
    template_hash: str | None
    verdict: Verdict | None
    """Its result, None while it has not ended."""
    problem: Problem | None
    """Why it does not start."""
    runs: bool = False
    slow: str = ""
    """What to say if it has not started for long."""
    grace: float = 30.0
    """Grace period in seconds of a pod that is being deleted."""


@dataclass(frozen=True, slots=True)
class ObservedStore:
    """All input of a decision about one store."""

    store: Store
    check: Check | None = None
    pod: CheckPod | None = None
    access_modes: tuple[str, ...] = ()
    """Access modes of the PVC of a filesystem store."""
    obstacle: Problem | None = None
    """Why no check is possible: the PVC is missing, or the API server rejected the pod in this reconciliation."""
    reports: tuple[StoreReport, ...] = ()
    ages: Ages = field(default_factory=dict)
    """Ages of the pod and of the last result."""

    @property
    def answers(self) -> bool:
        """Whether a worker reports that the store answers, and none reports that it does not."""
        return bool(self.reports) and all(report.problem is None for report in self.reports)


def parse_check(status: Resource) -> Check | None:
    """Parse ``status.check``; None if there is none, or if a newer operator wrote an unknown reason."""
    raw = mapping(status.get("check"))
    word = reason(raw.get("reason"))
    if word is None:
        return None
    return Check(
        verdict=Verdict(flag(raw.get("ok")), word, text(raw.get("message"))),
        time=text(raw.get("time")),
        generation=integer(raw.get("generation")),
        template_hash=text_or_none(raw.get("templateHash")),
        pod_uid=text_or_none(raw.get("podUID")),
        failures=max(0, integer(raw.get("failures"))),
    )


def parse_check_pod(raw: Resource, store: Store) -> CheckPod:
    """Parse the pod with the name of the check pod, and determine its owner."""
    pod = parse_pod(raw, store.name, None)
    return CheckPod(
        uid=pod.uid,
        ownership=_ownership(mapping(raw.get("metadata")), store),
        deleting=pod.deleting,
        template_hash=pod.template_hash,
        verdict=_verdict(pod, store),
        problem=pod_startup.obstacle(pod),
        runs=pod.running_since is not None,
        slow=pod_startup.slow(pod, store.namespace),
        grace=pod.grace,
    )


def _ownership(metadata: Resource, store: Store) -> Ownership:
    for owner in mappings(metadata.get("ownerReferences")):
        if owner.get("controller") and owner.get("kind") == names.STORE_KIND:
            return Ownership.OURS if owner.get("uid") == store.uid else Ownership.PREDECESSOR
    return Ownership.FOREIGN


def _verdict(pod: Pod, store: Store) -> Verdict | None:
    # The container decides, which never restarts: an injected sidecar may keep the pod running.
    if pod.phase not in ("Succeeded", "Failed") and not pod.stopped:
        return None
    said = pod.ending
    if said is not None and pod.did_well:
        return Verdict(True, Reason.STORE_ANSWERED, said.message or "the store answered the check")
    if said is not None and said.reason is not None and said.message:
        # The check only knows files; the operator knows which Secret they come from.
        needed = store_access.secrets(store.spec) if said.reason is Reason.SECRET_NOT_FOUND else []
        return Verdict(
            False, said.reason, "; the store needs ".join(filter(None, (said.message, " and ".join(needed))))
        )
    taken = evictions.problem(pod)
    if taken is not None:
        return Verdict(False, taken.reason, f"the operator could not check the store: {taken.message}")
    if pod.failed_reason == "DeadlineExceeded" and said is not None and not said.started:
        # The node's report of a container that never ran.
        return Verdict(False, Reason.STORE_UNAVAILABLE, pod_startup.slow(pod, store.namespace))
    if pod.failed_reason == "DeadlineExceeded":
        return Verdict(False, Reason.STORE_UNAVAILABLE, "the store did not answer the check in time")
    why = pod.failed_reason or (f"code {said.exit_code}" if said is not None else "no reason given")
    return Verdict(False, Reason.STORE_UNAVAILABLE, f"the store check failed ({why}); see the log of the pod")
