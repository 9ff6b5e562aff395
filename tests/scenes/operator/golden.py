"""What the operator makes of the samples, as YAML files: one for each kind of manifest (`make golden` writes them)."""

import pathlib
from typing import Any

import yaml

from scenes.operator import samples
from whatsapp_operator.manifests import lease, move_pod, purge_pod, pvc, rbac, store_check_pod, worker_pod
from whatsapp_operator.observed.parsing import parse_store_resource
from whatsapp_operator.observed.state import Store

Manifest = dict[str, Any]
FOLDER = pathlib.Path(__file__).parents[2] / "unit" / "golden"


class _Dumper(yaml.SafeDumper):
    """Writes what stands twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text(manifest: Manifest) -> str:
    """Return a manifest as its file holds it."""
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120)


def manifests() -> dict[str, Manifest]:
    """Return each manifest by the name of its file."""
    session, store, defaults = samples.session(), samples.store(), samples.DEFAULTS
    labelled = samples.store(podLabels={"cloud": "yes"})
    account, role, binding = rbac.access(session, store, None)
    claim = pvc.pvc(samples.session({"auth": {"strategy": "LocalAuth", "localAuth": {"onDelete": "Delete"}}}))
    assert claim is not None
    return {
        "worker_pod": worker_pod.pod(session, store, defaults),
        "store_check_pod": store_check_pod.pod(labelled, defaults),
        "move_pod": move_pod.move_pod(session, _sealed(), _bucket(), defaults),
        "purge_pod": purge_pod.purge_pod(session, labelled, defaults),
        "lease": lease.lease(session, samples.POD_UID),
        "persistent_volume_claim": claim,
        "service_account": account,
        "role": role,
        "role_binding": binding,
    }


def _sealed() -> Store:
    """Return a store whose archives are encrypted."""
    return samples.store(encryption={"keySecretRef": {"name": "key", "key": "k"}})


def _bucket() -> Store:
    """Return another store, in S3."""
    resource = samples.store_resource(
        podLabels={"to": "s3"}, s3={"bucket": "b", "credentialsSecretRef": {"name": "login"}}
    )
    resource["metadata"]["name"] = "archive"
    return parse_store_resource(resource)


def main() -> None:
    """Write the files anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, manifest in manifests().items():
        FOLDER.joinpath(f"{name}.yaml").write_text(text(manifest))


if __name__ == "__main__":
    main()
