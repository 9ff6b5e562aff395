"""Parse what the API server returned into frozen values: the border of the pure core."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from whatsapp_operator.observed import (
    Ending,
    Last,
    Ownership,
    Pod,
    Report,
    Resource,
    Session,
    Store,
    Trouble,
)
from whatsapp_session import names
from whatsapp_session.conditions import ConditionStatus, ConditionType, Reason, SessionState
from whatsapp_session.spec import parse_session
from whatsapp_session.store_spec import parse_store


def _reason(word: Any) -> Reason | None:
    try:
        return Reason(word)
    except ValueError:
        return None


def _trouble(raw: Resource | None) -> Trouble | None:
    reason = _reason((raw or {}).get("reason"))
    return None if raw is None or reason is None else Trouble(reason, str(raw.get("message", "")))


def _report(raw: Resource | None) -> Report | None:
    if not raw:
        return None
    try:
        state = SessionState(raw.get("state", ""))
    except ValueError:
        state = None
    saved = raw.get("saved") or {}
    return Report(
        pod_uid=str(raw.get("podUID", "")),
        state=state,
        state_since=str(raw.get("stateSince", "")),
        account_hash=(raw.get("account") or {}).get("hash"),
        saved="generation" in saved or "time" in saved,
        overdue="overdueSince" in saved,
        trouble=_trouble(raw.get("lastError")),
        handled=raw.get("handledRequests") or {},
        warnings=tuple(found for item in raw.get("warnings") or () if (found := _trouble(item)) is not None),
    )


def _last(raw: Resource) -> Last:
    return Last(
        account_hash=raw.get("accountHash"),
        linked=raw.get("linked"),
        saved=raw.get("saved"),
        end_reason=raw.get("endReason"),
        end_message=raw.get("endMessage"),
        end_time=raw.get("endTime"),
        exit_code=raw.get("exitCode"),
        failures=raw.get("failures", 0),
        pod_uid=raw.get("podUID"),
        template_hash=raw.get("templateHash"),
        started_for=raw.get("startedFor"),
        stopped=raw.get("stopped", False),
        store=raw.get("store"),
    )


def parse_session_resource(raw: Resource) -> Session:
    """Parse a WhatsAppSession; raises SpecError if its spec is not understood."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    worker = status.get("worker") or {}
    return Session(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        resource_version=metadata["resourceVersion"],
        deleting="deletionTimestamp" in metadata,
        created=metadata["creationTimestamp"],
        annotations=metadata.get("annotations") or {},
        finalizers=tuple(metadata.get("finalizers") or ()),
        spec=parse_session(raw.get("spec")),
        report=_report(status.get("session")),
        recorded_pod_uid=worker.get("podUID"),
        last=_last(worker.get("last") or {}),
        handled=status.get("handledRequests") or {},
        status=status,
    )


def parse_store_resource(raw: Resource) -> Store:
    """Parse a SessionStore; raises SpecError if its spec is not understood."""
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    return Store(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        resource_version=metadata["resourceVersion"],
        deleting="deletionTimestamp" in metadata,
        finalizers=tuple(metadata.get("finalizers") or ()),
        spec=parse_store(spec),
        annotations=(spec.get("serviceAccount") or {}).get("annotations") or {},
        shared_account=(spec.get("serviceAccount") or {}).get("shared"),
        pod_labels=spec.get("podLabels") or {},
        trouble=_store_trouble(status.get("conditions")),
        status=status,
    )


def _store_trouble(conditions: Any) -> Trouble | None:
    for item in conditions or ():
        if item["type"] == ConditionType.STORE_AVAILABLE and item["status"] == ConditionStatus.FALSE:
            return _trouble(item)
    return None


def _ownership(metadata: Resource, session: str, uid: str | None) -> Ownership:
    for owner in metadata.get("ownerReferences") or ():
        group = str(owner.get("apiVersion", "")).split("/")[0]
        if not owner.get("controller") or (group, owner.get("kind")) != (names.GROUP, names.SESSION_KIND):
            continue
        if owner.get("uid") == uid:
            return Ownership.OURS
        if owner.get("name") == session:
            return Ownership.PREDECESSOR
    return Ownership.FOREIGN


def parse_purge_pod(raw: Resource, session: str, session_uid: str | None) -> Pod:
    """Parse the pod that deletes a session's archives; whose it is it says itself, because it belongs to nobody."""
    metadata = raw["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    ours = labels.get(names.LABEL_COMPONENT) == names.COMPONENT_PURGE and labels.get(names.LABEL_SESSION) == session
    uid = annotations.get(names.ANNOTATION_SESSION_UID)
    whose = Ownership.OURS if uid is not None and uid == session_uid else Ownership.PREDECESSOR
    return dataclasses.replace(parse_pod(raw, session, None), ownership=whose if ours else Ownership.FOREIGN)


def _ending(raw: Resource | None) -> Ending | None:
    if not raw:
        return None
    text = str(raw.get("message", "")).strip()
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    said = said if isinstance(said, dict) else {}
    return Ending(
        exit_code=int(raw.get("exitCode", 1)),
        reason=_reason(said.get("reason")),
        # Free text of a crash may hold anything, so that only the worker's own sentence is passed on.
        message=str(said.get("message", "")),
        out_of_memory=raw.get("reason") == "OOMKilled",
        started=str(raw.get("startedAt") or ""),
        finished=str(raw.get("finishedAt") or ""),
    )


def _named(items: Any, name: str) -> Resource:
    return next((item for item in items or () if item.get("name") == name), {})


def _unschedulable(status: Resource) -> str | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason") or "no node fits")
    return None


def _needs(spec: Resource) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            yield f"the claim {volume['persistentVolumeClaim'].get('claimName')!r}"
        found = [volume["secret"]] if "secret" in volume else []
        projected = [
            source["secret"] for source in (volume.get("projected") or {}).get("sources") or () if "secret" in source
        ]
        for secret in [*found, *(source for source in projected if not source.get("optional"))]:
            keys = ", ".join(item.get("key", "") for item in secret.get("items") or ())
            name = secret.get("secretName") or secret.get("name")
            yield f"the Secret {name!r}" + (f" with the key {keys!r}" if keys else "")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def parse_pod(raw: Resource, session: str, session_uid: str | None) -> Pod:
    """Parse a pod and judge whose it is."""
    metadata, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
    container = _named(spec.get("containers"), names.WORKER_CONTAINER)
    state = _named(status.get("containerStatuses"), names.WORKER_CONTAINER)
    now, before = state.get("state") or {}, state.get("lastState") or {}
    waiting = now.get("waiting") or {}
    running = now.get("running")
    annotations = metadata.get("annotations") or {}
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        ownership=_ownership(metadata, session, session_uid),
        deleting="deletionTimestamp" in metadata,
        gone_by=metadata.get("deletionTimestamp"),
        created=str(metadata.get("creationTimestamp", "")),
        phase=str(status.get("phase", "Pending")),
        node=spec.get("nodeName"),
        unschedulable=_unschedulable(status),
        template_hash=annotations.get(names.ANNOTATION_TEMPLATE_HASH),
        generation=_number(annotations.get(names.ANNOTATION_GENERATION)),
        restarted_for=annotations.get(names.wish_annotation("restart")),
        started_for=annotations.get(names.ANNOTATION_STARTED_FOR),
        image=str(container.get("image", "")),
        env={item["name"]: str(item["value"]) for item in container.get("env") or () if "value" in item},
        needs=tuple(_needs(spec)),
        restarts=int(state.get("restartCount", 0)),
        running_since=None if running is None else str(running.get("startedAt") or ""),
        waiting=waiting.get("reason"),
        waiting_message=str(waiting.get("message", "")),
        ending=_ending(now.get("terminated")) or _ending(before.get("terminated")),
        stopped=running is None and bool(now.get("terminated") or before.get("terminated")),
        failed_reason=status.get("reason") if status.get("phase") == "Failed" else None,
        store=(metadata.get("labels") or {}).get(names.LABEL_STORE),
        account=spec.get("serviceAccountName"),
    )
