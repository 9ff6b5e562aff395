"""Hold what was observed of one store, as frozen values, and parse it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whatsapp_operator.desired import store_access
from whatsapp_operator.observed import Ownership, Resource, Store, Trouble
from whatsapp_operator.parsing import parse_pod
from whatsapp_session import names
from whatsapp_session.conditions import Reason

_IMAGE_TROUBLE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_CONFIG_TROUBLE = frozenset({"CreateContainerConfigError", "CreateContainerError"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found."""

    ok: bool
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """``status.check``: the last check and what it found."""

    verdict: Verdict
    time: str
    generation: int
    template_hash: str | None
    pod_uid: str | None
    failures: int


@dataclass(frozen=True, slots=True)
class CheckPod:
    """The pod that bears the check's name."""

    uid: str
    ownership: Ownership
    deleting: bool
    created: str
    template_hash: str | None
    verdict: Verdict | None
    """What it found, None while it has not ended."""
    trouble: Trouble | None
    """Why it does not start."""


@dataclass(frozen=True, slots=True)
class Say:
    """What one worker says of its store; ``trouble`` None: the store answers."""

    session: str
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class ObservedStore:
    """Everything that a decision about one store rests on."""

    store: Store
    check: Check | None = None
    pod: CheckPod | None = None
    access_modes: tuple[str, ...] = ()
    """Of a filesystem store's claim."""
    obstacle: Trouble | None = None
    """Why no check can be made: the claim is missing, the API server refused the pod just now."""
    said: tuple[Say, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether a worker says that the store answers, and none says that it does not."""
        return bool(self.said) and all(say.trouble is None for say in self.said)


def parse_check(status: Resource) -> Check | None:
    """Parse ``status.check``; None when there is none, or a newer operator's words are not understood."""
    raw: Mapping[str, Any] = status.get("check") or {}
    try:
        reason = Reason(raw.get("reason", ""))
    except ValueError:
        return None
    return Check(
        verdict=Verdict(bool(raw.get("ok")), reason, str(raw.get("message", ""))),
        time=str(raw["time"]),
        generation=int(raw.get("generation", 0)),
        template_hash=raw.get("templateHash"),
        pod_uid=raw.get("podUID"),
        failures=int(raw.get("failures", 0)),
    )


def parse_check_pod(raw: Resource, store: Store) -> CheckPod:
    """Parse a pod that bears the check's name, and judge whose it is."""
    pod = parse_pod(raw, store.name, None)
    return CheckPod(
        uid=pod.uid,
        ownership=_ownership(raw["metadata"], store),
        deleting=pod.deleting,
        created=str(raw["metadata"]["creationTimestamp"]),
        template_hash=pod.template_hash,
        verdict=_verdict(raw.get("status") or {}, store),
        trouble=_trouble(raw, store),
    )


def _ownership(metadata: Resource, store: Store) -> Ownership:
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller") and owner.get("kind") == names.STORE_KIND:
            return Ownership.OURS if owner.get("uid") == store.uid else Ownership.PREDECESSOR
    return Ownership.FOREIGN


def _verdict(status: Resource, store: Store) -> Verdict | None:
    pod = parse_pod({"metadata": {"name": "", "uid": ""}, "spec": {}, "status": status}, store.name, None)
    # By the container, which is never started again: a sidecar that somebody injects may keep the pod running.
    if pod.phase not in ("Succeeded", "Failed") and not pod.stopped:
        return None
    said = pod.ending
    if said is not None and pod.did_well:
        return Verdict(True, Reason.STORE_ANSWERED, said.message or "the store answered")
    if said is not None and said.reason is not None and said.message:
        # The check sees files only; which Secret they are of is known here.
        needed = store_access.secrets(store.spec) if said.reason is Reason.SECRET_NOT_FOUND else []
        return Verdict(
            False, said.reason, "; the store needs ".join(filter(None, (said.message, " and ".join(needed))))
        )
    if pod.failed_reason == "DeadlineExceeded":
        return Verdict(False, Reason.STORE_UNAVAILABLE, "the store did not answer the check in time")
    why = pod.failed_reason or (f"code {said.exit_code}" if said is not None else "no word")
    return Verdict(False, Reason.STORE_UNAVAILABLE, f"the check of the store ended with {why}")


def _trouble(raw: Resource, store: Store) -> Trouble | None:
    pod = parse_pod(raw, store.name, None)
    if pod.unschedulable is not None and pod.node is None:
        return Trouble(Reason.UNSCHEDULABLE, f"the pod that checks the store fits no node: {pod.unschedulable}")
    if pod.waiting in _IMAGE_TROUBLE:
        text = f"the image {pod.image} of the store's check cannot be pulled: {pod.waiting_message}"
        return Trouble(Reason.IMAGE_PULL_FAILED, text)
    if pod.waiting in _CONFIG_TROUBLE:
        text = f"the store's check cannot start: {pod.waiting_message}"
        return Trouble(Reason.SECRET_NOT_FOUND, text)
    return None
