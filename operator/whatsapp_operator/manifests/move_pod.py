"""Build the pod that copies a session's archives from the previous store to the present one."""

import dataclasses
import json

from whatsapp_operator.manifests import metadata, pod_template, store_access, store_pod, worker_environment
from whatsapp_operator.manifests.store_pod import Manifest
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed import requests
from whatsapp_operator.observed.state import Session, Store
from whatsapp_session import names, worker_config

GRACE_SECONDS = 5
"""Seconds; the next pod resumes an interrupted copy."""


def move_pod(session: Session, source: Store, target: Store, defaults: WorkerDefaults) -> Manifest:
    """Return the pod, with the hash of its template as an annotation.

    It has the service account of the target store, and its image if that store sets one.
    """
    task = store_pod.Task(
        name=names.move_pod(session.name),
        namespace=session.namespace,
        args=("store", "copy", *_allowed(session), *_source(source)),
        config=worker_environment.whose(session, defaults),
        labels={**source.pod_labels, **target.pod_labels, **_labels(session)},
        owners=(metadata.owner(session, controller=True),),
        # A pod that requires its Secrets would wait without a message; this one starts and reports which is missing.
        needs_secrets=False,
        also=pod_template.merged(
            _of_the_source(source, target),
            {
                "terminationGracePeriodSeconds": GRACE_SECONDS,
                **store_pod.of_the_template(session, defaults.pod_security),
            },
        ),
    )
    image = store_access.image(source, defaults.image)
    return store_pod.hashed(store_pod.pod(task, target, dataclasses.replace(defaults, image=image)))


def _labels(session: Session) -> dict[str, str]:
    return metadata.labels(session) | {names.LABEL_COMPONENT: names.COMPONENT_MOVE}


def _allowed(session: Session) -> list[str]:
    """Return the flags for accepted situations: no login to copy, or an owner that a user wants to take over from."""
    known, asked = session.last.account_hash is not None, "takeover" in requests.for_the_worker(session)
    return [*([] if known else ["--if-any"]), *(["--take-over"] if asked else [])]


def _source(source: Store) -> list[str]:
    """Return the arguments that describe the source store; the environment describes the target."""
    told = store_access.told(worker_config.WorkerConfig(), source, store_access.SOURCE)
    arguments = ["--from", str(told.store)]
    if told.store_secrets is not None:
        arguments += ["--from-secrets", told.store_secrets]
    if told.store_network is not None:
        arguments += ["--from-network", told.store_network]
    if told.store_options:
        arguments += ["--from-options", json.dumps(dict(told.store_options), sort_keys=True)]
    return [*arguments, *(["--from-unfenced"] if told.allow_unfenced else [])]


def _of_the_source(source: Store, target: Store) -> Manifest:
    container: Manifest = {
        "name": names.WORKER_CONTAINER,
        "volumeMounts": store_access.mounts(source, store_access.SOURCE),
    }
    sources = [*store_access.env_from(source), *store_access.env_from(target)]
    if sources:
        container["envFrom"] = sources
    volumes = store_access.volumes(source, store_access.SOURCE, optional=True)
    return {"volumes": volumes, "containers": [container]}
