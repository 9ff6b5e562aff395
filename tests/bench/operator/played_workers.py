"""Play the workers of all sessions: as soon as a pod runs, its session is Connected and saved.

A process of its own, so that its CPU does not count as the operator's. ``python -m bench.operator.played_workers
SERVER CA CERTIFICATE KEY`` runs until it is ended.
"""

import asyncio
import json
import ssl
import sys
import time
from typing import Any

import aiohttp

from whatsapp_kube import requests
from whatsapp_kube.requests import Ref
from whatsapp_session import names

AT_ONCE = 16
"""Number of requests at a time."""
SAID = {"state": "Connected", "account": {"hash": "aa"}}


async def play(server: str, context: ssl.SSLContext) -> None:
    """Watch the pods, and report for each one that runs."""
    slots, told = asyncio.Semaphore(AT_ONCE), set[str]()
    target = requests.path(Ref("Pod", "", ""))
    query = {"watch": "true", "labelSelector": f"{names.LABEL_COMPONENT}={names.COMPONENT_WORKER}"}
    connector = aiohttp.TCPConnector(ssl=context, limit=AT_ONCE + 1)
    async with aiohttp.ClientSession(server, connector=connector) as session, asyncio.TaskGroup() as group:
        while True:
            timeout = aiohttp.ClientTimeout(total=None)
            async with session.get(target, params=query, timeout=timeout) as stream:
                while line := await stream.content.readuntil(b"\n"):
                    pod = json.loads(line)["object"]
                    metadata, status = pod.get("metadata", {}), pod.get("status", {})
                    if status.get("phase") == "Running" and metadata["uid"] not in told:
                        told.add(metadata["uid"])
                        group.create_task(report(session, slots, metadata))


async def report(session: aiohttp.ClientSession, slots: asyncio.Semaphore, metadata: dict[str, Any]) -> None:
    """Write what the worker of a pod says of its session."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    saved = {"generation": 1, "time": since, "bytes": 1000}
    place = {"name": metadata["labels"][names.LABEL_SESSION], "namespace": metadata["namespace"]}
    said = {**SAID, "podUID": metadata["uid"], "stateSince": since, "saved": saved}
    body = {"apiVersion": names.API_VERSION, "kind": names.SESSION_KIND, "metadata": place, "status": {"session": said}}
    request = requests.apply(body, manager=names.WORKER_MANAGER, subresource="status")
    headers = {"Content-Type": request.content_type}
    async with slots, session.patch(request.path, params=request.query, json=body, headers=headers) as answer:
        if answer.status >= 400:
            print(f"{answer.status}: {await answer.text()}", file=sys.stderr, flush=True)


def main() -> None:
    """Play until the process is ended."""
    server, authority, certificate, key = sys.argv[1:]
    context = ssl.create_default_context(cafile=authority)
    context.load_cert_chain(certificate, key)
    asyncio.run(play(server, context))


if __name__ == "__main__":
    main()
