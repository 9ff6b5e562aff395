"""Remove the operator's finalizers after an uninstall, so that the deletion of sessions and stores does not hang.

Purge pods are deleted too: they have no owner, and would wait for their store and purge later.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from whatsapp_kube.errors import Conflict
from whatsapp_kube.requests import Ref, ref_of
from whatsapp_operator.kube import Listing, items
from whatsapp_session import names

log = logging.getLogger(__name__)

FINALIZERS = {names.SESSION_KIND: names.FINALIZER_PURGE, names.STORE_KIND: names.FINALIZER_STORE}
PURGES = {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: names.COMPONENT_PURGE}
ATTEMPTS = 5


async def release(kube: Listing, namespaces: Sequence[str]) -> int:
    """Delete purge pods and remove finalizers in these namespaces (none: all); returns the number of changed objects.

    Only for a cluster without a running operator, which would set the finalizers again.
    """
    everywhere = namespaces or ("",)
    for namespace in everywhere:
        await _stop_purges(kube, namespace)
    released = 0
    for kind, finalizer in FINALIZERS.items():
        for namespace in everywhere:
            for item in await items(kube, kind, namespace):
                metadata = item["metadata"]
                released += await _released(kube, Ref(kind, metadata["namespace"], metadata["name"]), finalizer, item)
    return released


async def _stop_purges(kube: Listing, namespace: str) -> None:
    for item in await items(kube, "Pod", namespace, PURGES):
        ref = ref_of(item)
        await kube.delete(ref, uid=item["metadata"]["uid"])
        log.info("purge stopped: pod=%s/%s", ref.namespace, ref.name)


async def _released(kube: Listing, ref: Ref, finalizer: str, found: Mapping[str, Any] | None) -> bool:
    for _ in range(ATTEMPTS):
        if found is None or finalizer not in found["metadata"].get("finalizers", ()):
            return False
        metadata = found["metadata"]
        left = [name for name in metadata["finalizers"] if name != finalizer]
        try:
            await kube.finalize(ref, version=metadata["resourceVersion"], finalizers=left)
        except Conflict:
            # Its worker has changed it meanwhile.
            found = await kube.get(ref)
        else:
            log.info("released: %s %s/%s", ref.kind, ref.namespace, ref.name)
            return True
    raise Conflict(409, f"{ref.kind} {ref.namespace}/{ref.name} keeps changing; run the command again")
