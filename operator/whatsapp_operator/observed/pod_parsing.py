"""Parse pods into frozen values; input of nodes, containers and other controllers never makes it raise."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from whatsapp_operator.observed.state import Ending, Ownership, Pod, Resource
from whatsapp_session import names, timestamps
from whatsapp_session.conditions import Reason
from whatsapp_session.untrusted import integer, json_mapping, mapping, mappings, text, text_or_none, texts

EPOCH = "1970-01-01T00:00:00Z"
"""Used for a missing time."""

GRACE_SECONDS = 30
"""Used for a missing grace period of a pod that is being deleted."""


def reason(word: Any) -> Reason | None:
    """Return the value if it is a known reason, else None."""
    return Reason(word) if isinstance(word, str) and word in set(Reason) else None


def ownership(metadata: Resource, session: str, uid: str | None) -> Ownership:
    """Determine the owner of a pod by its controller reference."""
    for owner in mappings(metadata.get("ownerReferences")):
        group = text(owner.get("apiVersion")).split("/")[0]
        if not owner.get("controller") or (group, owner.get("kind")) != (names.GROUP, names.SESSION_KIND):
            continue
        if uid is not None and owner.get("uid") == uid:
            return Ownership.OURS
        if owner.get("name") == session:
            return Ownership.PREDECESSOR
    return Ownership.FOREIGN


def parse_purge_pod(raw: Resource, session: str, session_uid: str | None) -> Pod:
    """Parse the pod that purges a session's archives; it has no owner, its annotation names the session."""
    metadata = mapping(raw.get("metadata"))
    labels, annotations = mapping(metadata.get("labels")), mapping(metadata.get("annotations"))
    ours = labels.get(names.LABEL_COMPONENT) == names.COMPONENT_PURGE and labels.get(names.LABEL_SESSION) == session
    uid = annotations.get(names.ANNOTATION_SESSION_UID)
    whose = Ownership.OURS if uid is not None and uid == session_uid else Ownership.PREDECESSOR
    return dataclasses.replace(parse_pod(raw, session, None), ownership=whose if ours else Ownership.FOREIGN)


def parse_pod(raw: Resource, session: str, session_uid: str | None) -> Pod:
    """Parse a pod and determine its owner."""
    metadata, spec, status = (mapping(raw.get(part)) for part in ("metadata", "spec", "status"))
    container = _named(spec.get("containers"), names.WORKER_CONTAINER)
    state = _named(status.get("containerStatuses"), names.WORKER_CONTAINER)
    now, before = mapping(state.get("state")), mapping(state.get("lastState"))
    running = now.get("running")
    image, waiting = _waiting(spec, status, text(container.get("image")), mapping(now.get("waiting")))
    annotations = texts(metadata.get("annotations"))
    phase = text(status.get("phase")) or "Pending"
    return Pod(
        name=text(metadata.get("name")),
        uid=text(metadata.get("uid")),
        ownership=ownership(metadata, session, session_uid),
        deleting="deletionTimestamp" in metadata,
        grace=float(integer(metadata.get("deletionGracePeriodSeconds"), GRACE_SECONDS)),
        created=_time(metadata.get("creationTimestamp")) or EPOCH,
        phase=phase,
        node=text_or_none(spec.get("nodeName")),
        unschedulable=_unschedulable(status),
        template_hash=annotations.get(names.ANNOTATION_TEMPLATE_HASH),
        generation=_number(annotations.get(names.ANNOTATION_GENERATION)),
        restarted_for=_time(annotations.get(names.request_annotation("restart"))) or None,
        started_for=_time(annotations.get(names.ANNOTATION_STARTED_FOR)) or None,
        image=text(container.get("image")),
        env={text(item.get("name")): str(item["value"]) for item in mappings(container.get("env")) if "value" in item},
        needs=tuple(_needs(spec)),
        restarts=integer(state.get("restartCount")),
        running_since=None if running is None else _time(mapping(running).get("startedAt")),
        waiting=text_or_none(waiting.get("reason")),
        waiting_message=text(waiting.get("message")),
        waiting_image=image,
        ending=_ending(now.get("terminated")) or _ending(before.get("terminated")),
        stopped=running is None and bool(now.get("terminated") or before.get("terminated")),
        failed_reason=text_or_none(status.get("reason")) if phase == "Failed" else None,
        failed_message=text(status.get("message")),
        store=text_or_none(mapping(metadata.get("labels")).get(names.LABEL_STORE)),
        account=text_or_none(spec.get("serviceAccountName")),
        ready=_condition(status, "Ready"),
        # A kubelet sets both conditions; the node controller, which speaks for a silent kubelet, only the first.
        node_silent=_condition(status, "ContainersReady") and not _condition(status, "Ready"),
        pvcs=tuple(_pvcs(spec)),
    )


def _condition(status: Resource, kind: str) -> bool:
    """Return whether a condition of the pod is True."""
    return any(item.get("type") == kind and item.get("status") == "True" for item in mappings(status.get("conditions")))


def _pvcs(spec: Resource) -> Iterator[str]:
    for volume in mappings(spec.get("volumes")):
        if "persistentVolumeClaim" in volume:
            yield text(mapping(volume["persistentVolumeClaim"]).get("claimName"))


def _time(value: Any) -> str:
    """Return the value if it is a time, else ""."""
    return value if isinstance(value, str) and timestamps.seconds(value) is not None else ""


def _ending(raw: Any) -> Ending | None:
    if not isinstance(raw, dict) or not raw:
        return None
    said = json_mapping(raw.get("message"))
    return Ending(
        exit_code=integer(raw.get("exitCode"), 1),
        reason=reason(said.get("reason")),
        # The log tail of a crash can contain anything, so only the message of the worker is used.
        message=text(said.get("message")),
        out_of_memory=raw.get("reason") == "OOMKilled",
        started=_time(raw.get("startedAt")),
        finished=_time(raw.get("finishedAt")),
    )


def _waiting(spec: Resource, status: Resource, image: str, own: Resource) -> tuple[str, Resource]:
    """Return which image waits for what: an init container, such as an injected one, holds up the worker's."""
    if text(own.get("reason")) == "PodInitializing":
        for item in mappings(status.get("initContainerStatuses")):
            waiting = mapping(mapping(item.get("state")).get("waiting"))
            if waiting and waiting.get("reason") != "PodInitializing":
                return text(_named(spec.get("initContainers"), text(item.get("name"))).get("image")), waiting
    return image, own


def _named(items: Any, name: str) -> Resource:
    return next((item for item in mappings(items) if item.get("name") == name), {})


def _unschedulable(status: Resource) -> str | None:
    for condition in mappings(status.get("conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return text(condition.get("message")) or text(condition.get("reason")) or "no node has room for it"
    return None


def _needs(spec: Resource) -> Iterator[str]:
    for volume in mappings(spec.get("volumes")):
        if "persistentVolumeClaim" in volume:
            yield f"the PVC {text(mapping(volume['persistentVolumeClaim']).get('claimName'))!r}"
        found = [volume["secret"]] if "secret" in volume else []
        sources = mappings(mapping(volume.get("projected")).get("sources"))
        projected = [source["secret"] for source in sources if "secret" in source]
        for secret in [*mappings(found), *(source for source in mappings(projected) if not source.get("optional"))]:
            keys = ", ".join(text(item.get("key")) for item in mappings(secret.get("items")))
            name = text(secret.get("secretName")) or text(secret.get("name"))
            yield f"the Secret {name!r}" + (f" with the key {keys!r}" if keys else "")


def _number(written: str | None) -> int | None:
    return int(written) if written is not None and written.isdecimal() and len(written) < 19 else None
