"""Build the environment of a worker."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whatsapp_operator.manifests import store_access
from whatsapp_operator.manifests.pod_security import Level
from whatsapp_operator.manifests.pod_shape import PodSettings
from whatsapp_operator.observed.state import Session, Store
from whatsapp_session import names, worker_config

Manifest = dict[str, Any]
SECRETS_DIR = store_access.SECRETS_DIR


@dataclass(frozen=True, slots=True)
class WorkerDefaults:
    """Settings that all workers of this operator share."""

    image: str
    cluster: str
    """UID of the cluster's kube-system namespace."""
    image_pull_policy: str = "IfNotPresent"
    pods: PodSettings = field(default_factory=PodSettings)
    """What is the same for the pods that check, move and purge, too."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    extra_browser_args: Sequence[str] = ()
    pod_security: Level = Level.RESTRICTED
    """Pod Security Standard for podTemplates."""


def config(session: Session, store: Store | None, defaults: WorkerDefaults) -> worker_config.WorkerConfig:
    """Return the settings of a session's worker."""
    spec = session.spec
    remote, local = spec.auth.remote, spec.auth.local
    built = dataclasses.replace(
        whose(session, defaults),
        data_path=names.DATA_DIR if local is None else f"{names.DATA_DIR}/{local.data_path}",
        linking_method=spec.linking.method,
        linking_timeout=spec.linking.timeout,
        phone_number_file=f"{SECRETS_DIR}/phone-number/value" if spec.linking.phone_number else None,
        expected_account=spec.linking.expected_account,
        browser_url=spec.browser.url,
        browser_channel=spec.browser.channel,
        browser_user_agent=spec.browser.user_agent,
        browser_args=(*spec.browser.args, *defaults.extra_browser_args),
        separate_processes=spec.browser.separate_processes,
        page_owner=spec.browser.page_owner,
        cdp_port=spec.browser.cdp_port or 0,
        proxy_file=f"{SECRETS_DIR}/proxy/value" if spec.browser.proxy else None,
        archive_warning=spec.warnings.archive_size,
        memory_warning=spec.warnings.memory,
        lease_duration=spec.lease_duration,
        health_port=names.HEALTH_PORT,
    )
    if remote is None or store is None:
        return built
    return dataclasses.replace(
        store_access.told(built, store),
        backup_sync_interval=remote.backup_sync_interval,
        generations=remote.generations,
        interop=remote.interop,
    )


def whose(session: Session, defaults: WorkerDefaults) -> worker_config.WorkerConfig:
    """Return settings that only identify the session; purge and move pods need no others."""
    return worker_config.WorkerConfig(
        strategy=session.spec.auth.strategy,
        client_id=names.client_id(session.name, session.spec.client_id),
        resource=worker_config.ResourceIdentity(
            cluster=defaults.cluster,
            namespace=session.namespace,
            name=session.name,
            uid=session.uid,
            # The downward API sets the names of pod and node; to_env() omits them.
            pod_name="",
            pod_uid="",
            node_name="",
        ),
    )


def environment(session: Session, store: Store | None, defaults: WorkerDefaults) -> list[Manifest]:
    """Return the environment of the worker container."""
    return variables(config(session, store, defaults))


def variables(told: worker_config.WorkerConfig) -> list[Manifest]:
    """Return settings as the environment of a container."""
    plain = worker_config.to_env(told)
    fields = {} if told.resource is None else worker_config.DOWNWARD
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
    ]
