"""Check whether the CRDs are installed, without which the operator cannot work."""

import asyncio
import logging
from typing import Final

from whatsapp_kube.requests import Manifest, Ref
from whatsapp_operator.errors import OperatorError
from whatsapp_operator.kube import Kube
from whatsapp_session import names

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
_NAMES: Final = tuple(f"{plural}.{names.GROUP}" for plural in (names.SESSION_PLURAL, names.STORE_PLURAL))


async def wait(cluster: Kube) -> None:
    """Wait for both CRDs: they may be installed after the operator."""
    told = False
    while (missing := await _missing(cluster)) is not None:
        if not told:
            log.warning("waiting for the CRD %s; install the chart with crds.install=true", missing)
            told = True
        await asyncio.sleep(POLL_SECONDS)


async def gone(cluster: Kube) -> OperatorError | None:
    """Return the error if a CRD has been deleted while the operator runs, None if both exist."""
    missing = await _missing(cluster)
    if missing is None:
        return None
    what = "the CRD {} was deleted, and with it the API server deletes every resource of its kind"
    return OperatorError(f"{what.format(missing)}; install the chart again with crds.install=true")


async def _missing(cluster: Kube) -> str | None:
    for name in _NAMES:
        if not _established(await cluster.get(Ref("CustomResourceDefinition", "", name))):
            return name
    return None


def _established(definition: Manifest | None) -> bool:
    metadata = (definition or {}).get("metadata") or {}
    found = ((definition or {}).get("status") or {}).get("conditions") or ()
    there = any(item["type"] == "Established" and item["status"] == "True" for item in found)
    return there and "deletionTimestamp" not in metadata
