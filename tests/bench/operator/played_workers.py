"""Play the workers of all sessions: as soon as a pod runs, its session is Connected and saved, and renews its Lease.

It also ends the pods that are being deleted, workers and others.

A process of its own, so that its CPU does not count as the operator's. ``python -m bench.operator.played_workers
SERVER CA CERTIFICATE KEY`` runs until it is ended.
"""

import asyncio
import json
import random
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
RENEW_SECONDS = 200.0
"""A third of a Lease of ten minutes."""
SAID = {"state": "Connected", "account": {"hash": "aa"}}


async def play(server: str, context: ssl.SSLContext) -> None:
    """Watch the pods, report for each worker that runs, and end each pod that is being deleted."""
    slots, told, ended = asyncio.Semaphore(AT_ONCE), set[str](), set[str]()
    target = requests.path(Ref("Pod", "", ""))
    query = {"watch": "true"}
    connector = aiohttp.TCPConnector(ssl=context, limit=AT_ONCE + 1)
    async with aiohttp.ClientSession(server, connector=connector) as session, asyncio.TaskGroup() as group:
        while True:
            timeout = aiohttp.ClientTimeout(total=None)
            async with session.get(target, params=query, timeout=timeout) as stream:
                while line := await stream.content.readuntil(b"\n"):
                    change = json.loads(line)
                    pod = change["object"]
                    metadata, status = pod.get("metadata", {}), pod.get("status", {})
                    uid, worker = metadata.get("uid"), metadata.get("labels", {}).get(names.LABEL_COMPONENT)
                    if change["type"] == "DELETED":
                        told.discard(uid)
                        ended.discard(uid)
                    elif "deletionTimestamp" in metadata and uid not in ended:
                        ended.add(uid)
                        group.create_task(end(session, slots, metadata))
                    elif (worker, status.get("phase")) == (names.COMPONENT_WORKER, "Running") and uid not in told:
                        told.add(uid)
                        group.create_task(work(session, slots, metadata))


async def end(session: aiohttp.ClientSession, slots: asyncio.Semaphore, metadata: dict[str, Any]) -> None:
    """Confirm that a pod has ended, as its kubelet does."""
    request = requests.delete(Ref("Pod", metadata["namespace"], metadata["name"]), uid=metadata["uid"], grace=0)
    async with slots, session.delete(request.path, json=request.body) as answer:
        await answer.read()


async def work(session: aiohttp.ClientSession, slots: asyncio.Semaphore, metadata: dict[str, Any]) -> None:
    """Report, and renew the Lease until it is gone."""
    await report(session, slots, metadata)
    lease = Ref("Lease", metadata["namespace"], metadata["name"])
    # The first renewals are spread, as those of workers are that start at different times.
    wait = random.uniform(0.0, RENEW_SECONDS)
    while True:
        await asyncio.sleep(wait)
        wait = RENEW_SECONDS
        moment = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        change = {"spec": {"holderIdentity": metadata["uid"], "renewTime": moment}}
        request = requests.merge(lease, change)
        headers = {"Content-Type": request.content_type}
        async with slots, session.patch(request.path, json=change, headers=headers) as answer:
            if answer.status == 404:
                return


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
