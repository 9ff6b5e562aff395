"""What a worker is told: its environment."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whatsapp_operator.manifests import store_access
from whatsapp_operator.manifests.pod_security import Level
from whatsapp_operator.observed.state import Session, Store
from whatsapp_session import names, worker_config

Manifest = dict[str, Any]
SECRETS_DIR = store_access.SECRETS_DIR


@dataclass(frozen=True, slots=True)
class WorkerDefaults:
    """What is the same for every worker of this operator."""

    image: str
    cluster: str
    """UID of the cluster's kube-system namespace."""
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: Sequence[str] = ()
    """By name: each namespace has its own of them."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    host_aliases: Sequence[Mapping[str, Any]] = ()
    extra_browser_args: Sequence[str] = ()
    pod_security: Level = Level.RESTRICTED
    """What podTemplates may say."""


def config(session: Session, store: Store | None, defaults: WorkerDefaults) -> worker_config.WorkerConfig:
    """Return what the worker is told."""
    spec = session.spec
    remote, local = spec.auth.remote, spec.auth.local
    built = worker_config.WorkerConfig(
        strategy=spec.auth.strategy,
        client_id=names.client_id(session.name, spec.client_id),
        data_path=names.DATA_DIR if local is None else f"{names.DATA_DIR}/{local.data_path}",
        linking_method=spec.linking.method,
        linking_timeout=spec.linking.timeout,
        expected_account=spec.linking.expected_account,
        browser_url=spec.browser.url,
        browser_channel=spec.browser.channel,
        browser_user_agent=spec.browser.user_agent,
        browser_args=(*spec.browser.args, *defaults.extra_browser_args),
        archive_warning=spec.warnings.archive_size,
        memory_warning=spec.warnings.memory,
        lease_duration=spec.lease_duration,
        health_port=names.HEALTH_PORT,
        resource=identity(session, defaults),
        extra=_extra(session),
    )
    if remote is None or store is None:
        return built
    return dataclasses.replace(
        store_access.told(built, store),
        backup_sync_interval=remote.backup_sync_interval,
        generations=remote.generations,
        interop=remote.interop,
    )


def _extra(session: Session) -> dict[str, str]:
    browser, extra = session.spec.browser, {}
    if session.spec.linking.phone_number is not None:
        extra["PHONE_NUMBER_FILE"] = f"{SECRETS_DIR}/phone-number/value"
    if browser.proxy is not None:
        extra["PROXY_FILE"] = f"{SECRETS_DIR}/proxy/value"
    if browser.cdp_port is not None:
        extra["CDP_PORT"] = str(browser.cdp_port)
    if browser.page_owner != "Worker":
        extra["PAGE_OWNER"] = browser.page_owner
    return extra


def identity(session: Session, defaults: WorkerDefaults) -> worker_config.ResourceIdentity:
    """Return whose a pod is; the pod's and the node's part come from the downward API, and ``to_env`` omits them."""
    return worker_config.ResourceIdentity(
        cluster=defaults.cluster,
        namespace=session.namespace,
        name=session.name,
        uid=session.uid,
        pod_name="",
        pod_uid="",
        node_name="",
    )


def environment(session: Session, store: Store | None, defaults: WorkerDefaults) -> list[Manifest]:
    """Return the worker container's environment."""
    return variables(config(session, store, defaults))


def variables(told: worker_config.WorkerConfig) -> list[Manifest]:
    """Return settings as a container's environment."""
    fields = {
        worker_config.NODE_NAME: "spec.nodeName",
        worker_config.POD_NAME: "metadata.name",
        worker_config.POD_NAMESPACE: "metadata.namespace",
        worker_config.POD_UID: "metadata.uid",
    }
    plain = worker_config.to_env(told)
    if told.resource is None:
        fields = {}
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
    ]
