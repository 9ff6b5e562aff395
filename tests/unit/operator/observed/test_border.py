"""Whatever workers, nodes and users write: it is parsed, planned and reported without a fault, and deleted."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import whatsapp_operator.store.plan
from scenes import json_samples, schema_samples
from scenes.operator import samples
from whatsapp_operator.manifests import lease, worker_pod
from whatsapp_operator.observed.parsing import (
    parse_essentials,
    parse_head,
    parse_session_resource,
    parse_store_resource,
)
from whatsapp_operator.observed.pod_parsing import parse_pod, parse_purge_pod
from whatsapp_operator.observed.state import Observed, Pod, Session
from whatsapp_operator.session import essentials, events, move, plan, purge, status, termination
from whatsapp_operator.store import observed
from whatsapp_session import names
from whatsapp_session.conditions import MESSAGE_LENGTH, ConditionType
from whatsapp_session.session_spec import SpecError

Manifest = dict[str, Any]
NOW = samples.NOON_SECONDS
DELETES: Manifest = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}
SPECS = st.sampled_from([{}, DELETES, {"operatingMode": "Suspended"}, {"auth": {"strategy": "NoAuth"}}])
REQUESTS = st.dictionaries(
    st.sampled_from([*map(names.request_annotation, ("restart", "save", "skip-purge", "x")), "other"])
    | json_samples.TEXT,
    json_samples.TEXT | schema_samples.times(),
    max_size=5,
)
MESSAGES = json_samples.TEXT | json_samples.ANYTHING.map(json.dumps) | st.sampled_from(["[" * 4096, '{"a":' * 800])
ENDED = st.fixed_dictionaries(
    {"exitCode": json_samples.SCALARS | st.integers(0, 255), "message": MESSAGES},
    optional={"reason": json_samples.TEXT, "startedAt": json_samples.SCALARS, "finishedAt": schema_samples.times()},
)
STATES = st.one_of(
    st.just({"running": {"startedAt": samples.NOON}}),
    st.builds(lambda ended: {"terminated": ended}, ENDED),
    st.builds(lambda text: {"waiting": {"reason": "CrashLoopBackOff", "message": text}}, json_samples.TEXT),
)
PODS = st.builds(
    lambda phase, now, before: {
        "phase": phase,
        "containerStatuses": [{"name": "worker", "state": now, "lastState": before}],
    },
    st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]),
    STATES,
    st.just({}) | STATES,
)


def judged(session: Session, pod: Pod | None) -> None:
    """Carry a session through all that is decided about it; asserts that it has conditions and can be deleted."""
    observed = Observed(session, pod, samples.store(), purge_pod=pod, move_pod=pod, source=samples.store())
    manifest = worker_pod.pod(session, samples.store(), samples.DEFAULTS)
    wanted = worker_pod.wanted(session, manifest)
    steps = plan.plan(observed, wanted)
    own = status.own_status(observed, wanted.template_hash, samples.NOON)
    kinds = {item["type"] for item in own["conditions"]}
    assert ConditionType.READY in kinds
    assert all(len(item["message"]) <= MESSAGE_LENGTH for item in own["conditions"])
    assert all(len(item) <= 64 for item in own.get("handledRequests", {}).values())
    assert len(own.get("handledRequests", {})) <= 5
    json.dumps(own, ensure_ascii=False).encode()
    json.dumps(lease.lease(session, samples.POD_UID)).encode()
    list(events.events_of(session.status, own))
    list(events.ignored(session))
    status.report_is_stale(observed)
    termination.left_behind(session, pod)
    move.due(observed)
    essentials.own_parts(observed, NOW)
    for found in (steps, essentials.steps(observed, wanted), essentials.steps(observed, None)):
        going = any(isinstance(step, plan.DeletePod) for step in found.actions)
        assert not session.deleting or pod is None or pod.deleting or going
        free = any(isinstance(step, purge.ReleaseSession) for step in found.actions)
        assert free or not (session.deleting and purge.held(session) and "skip-purge" in session.asked)


def resource(spec: Manifest, found: Any, **metadata: Any) -> Manifest:
    """Return a session that is being deleted and holds its finalizer, or lives."""
    return {**samples.session_resource(spec, **metadata), "status": found}


@given(
    spec=SPECS,
    report=schema_samples.accepted(schema_samples.status_session()),
    pod=st.none() | PODS,
    annotations=REQUESTS,
    going=st.booleans(),
)
def test_any_report_that_the_schema_accepts_is_judged(
    spec: Manifest, report: Any, pod: Manifest | None, annotations: Mapping[str, str], going: bool
) -> None:
    metadata: Manifest = {"annotations": annotations, "finalizers": [names.FINALIZER_PURGE]}
    metadata |= {"deletionTimestamp": samples.NOON} if going else {}
    for uid in (samples.POD_UID, report.get("podUID", "")):
        found = {"worker": {"podUID": samples.POD_UID}, "session": report | {"podUID": uid}}
        parsed = parse_session_resource(resource(spec, found, **metadata), NOW)
        judged(parsed, None if pod is None else samples.pod(**pod))


@given(
    found=st.fixed_dictionaries(
        {},
        optional={
            "conditions": json_samples.ANYTHING,
            "worker": json_samples.ANYTHING | st.fixed_dictionaries({"last": json_samples.ANYTHING}),
            "session": json_samples.like(schema_samples.status_session()) | json_samples.ANYTHING,
            "handledRequests": json_samples.ANYTHING,
        },
    )
    | json_samples.ANYTHING,
    annotations=json_samples.ANYTHING,
    finalizers=json_samples.ANYTHING,
)
def test_a_status_of_any_shape_is_judged(found: Any, annotations: Any, finalizers: Any) -> None:
    raw = resource({}, found, annotations=annotations, finalizers=finalizers)
    for parse in (parse_session_resource, parse_essentials, parse_head):
        judged(parse(raw, NOW), samples.pod())


@given(st.text(max_size=4096) | MESSAGES, st.integers(0, 255), st.sampled_from(["Failed", "Running"]))
def test_any_termination_message_is_judged(message: str, code: int, phase: str) -> None:
    ended = samples.terminated(code, message, phase)
    judged(samples.session(status=samples.report("Connected")), samples.pod(**ended))
    found = observed.parse_check_pod(samples.pod_resource(**ended), samples.store())
    whatsapp_operator.store.plan.plan(observed.ObservedStore(samples.store(), pod=found), "hash")


@given(metadata=json_samples.ANYTHING, spec=json_samples.ANYTHING, state=PODS | json_samples.ANYTHING)
def test_a_pod_of_any_shape_is_judged(metadata: Any, spec: Any, state: Any) -> None:
    raw = {"metadata": metadata, "spec": spec, "status": state}
    for pod in (parse_pod(raw, samples.NAME, samples.UID), parse_purge_pod(raw, samples.NAME, samples.UID)):
        judged(samples.session(), pod)
        purge.steps(Observed(samples.session(DELETES, finalizers=[names.FINALIZER_PURGE]), None, purge_pod=pod))


@given(spec=json_samples.ANYTHING | st.fixed_dictionaries({"auth": json_samples.ANYTHING}))
def test_a_specification_of_any_shape_is_understood_or_named(spec: Any) -> None:
    raw = resource({}, {}) | {"spec": spec}
    parse_head(raw, NOW)
    for read in (lambda: parse_session_resource(raw, NOW), lambda: parse_store_resource(raw)):
        with contextlib.suppress(SpecError):
            read()


@given(found=json_samples.ANYTHING | st.fixed_dictionaries({"check": json_samples.ANYTHING}))
def test_a_status_of_a_store_of_any_shape_is_read(found: Any) -> None:
    raw = samples.store_resource() | {"status": found}
    stored = parse_store_resource(raw)
    check = observed.parse_check(stored.status)
    whatsapp_operator.store.plan.plan(observed.ObservedStore(stored, check), "hash")
