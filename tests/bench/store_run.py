"""Move one archive once and print what it took: run as a process of its own, so that memory and CPU are its own.

``python store_run.py WHO VERB FILE`` with the place in the environment; prints one JSON object.
"""

import hashlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import boto3
import botocore.config
import gridfs
import pymongo

from whatsapp_session import worker_config
from whatsapp_worker import stores
from whatsapp_worker.stores import registry

NAME = "RemoteAuth-bench/archives/00000001-bench.zip"
Verbs = dict[str, Callable[[pathlib.Path], None]]


def chunks(file: pathlib.Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(stores.CHUNK):
            yield chunk


def digested(content: Iterable[bytes]) -> Iterator[bytes]:
    """Compute the digest on the way, as a save and a restore do."""
    digest = hashlib.sha256()
    for chunk in content:
        digest.update(chunk)
        yield chunk


def ours() -> Verbs:
    config = worker_config.from_env(os.environ)
    assert config.store is not None
    store = registry.open_store(config.store, registry.settings(config))
    list(store.list("RemoteAuth-none/"))  # connected: what is measured is the moving

    def save(file: pathlib.Path) -> None:
        store.create(NAME, digested(chunks(file)))

    def restore(file: pathlib.Path) -> None:
        with file.open("wb") as stream:
            for chunk in digested(store.read(NAME)):
                stream.write(chunk)

    return {"save": save, "restore": restore}


def plain_s3() -> Verbs:
    config = botocore.config.Config(s3={"addressing_style": "path"})
    client = boto3.client("s3", endpoint_url=os.environ["BENCH_ENDPOINT"], region_name="us-east-1", config=config)
    bucket = os.environ["BENCH_BUCKET"]
    client.list_objects_v2(Bucket=bucket, MaxKeys=1)

    def save(file: pathlib.Path) -> None:
        with file.open("rb") as stream:
            client.upload_fileobj(stream, bucket, "plain.zip")

    def restore(file: pathlib.Path) -> None:
        with file.open("wb") as stream:
            client.download_fileobj(bucket, "plain.zip", stream)

    return {"save": save, "restore": restore}


def plain_mongodb() -> Verbs:
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(os.environ["BENCH_URI"])
    bucket = gridfs.GridFSBucket(client["plain"])
    client["plain"].list_collection_names()

    def save(file: pathlib.Path) -> None:
        with file.open("rb") as stream:
            bucket.upload_from_stream("plain.zip", stream)

    def restore(file: pathlib.Path) -> None:
        # download_to_stream asks for batches that FerretDB makes larger than its own limit.
        found = client["plain"]["fs.files"].find_one({"filename": "plain.zip"}, sort=[("uploadDate", -1)])
        assert found is not None
        wanted = {"files_id": found["_id"]}
        with file.open("wb") as stream:
            for chunk in client["plain"]["fs.chunks"].find(wanted).sort("n", 1).batch_size(16):
                stream.write(chunk["data"])  # type: ignore[arg-type] # bytes

    return {"save": save, "restore": restore}


def plain_filesystem() -> Verbs:
    target = pathlib.Path(os.environ["BENCH_DIRECTORY"]) / "plain.zip"

    def copied(source: pathlib.Path, to: pathlib.Path) -> None:
        subprocess.run(["cp", "--reflink=never", str(source), str(to)], check=True)
        subprocess.run(["sha256sum", str(source)], check=True, stdout=subprocess.DEVNULL)

    def save(file: pathlib.Path) -> None:
        copied(file, target)
        subprocess.run(["sync", str(target)], check=True)

    return {"save": save, "restore": lambda file: copied(target, file)}


def digest_only() -> Verbs:
    def compute(file: pathlib.Path) -> None:
        for _ in digested(chunks(file)):
            pass

    return {"save": compute, "restore": compute}


WHO: dict[str, Callable[[], Verbs]] = {
    "ours": ours,
    "digest": digest_only,
    "plain-s3": plain_s3,
    "plain-mongodb": plain_mongodb,
    "plain-filesystem": plain_filesystem,
}


def memory(field: str) -> int:
    """Return a field of this process' status in KiB."""
    text = pathlib.Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(field)))


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main(who: str, verb: str, file: str) -> None:
    work = WHO[who]()[verb]
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    idle, spent, begun = memory("VmRSS"), cpu(), time.monotonic()
    work(pathlib.Path(file))
    took = time.monotonic() - begun
    print(json.dumps({"seconds": took, "cpu": cpu() - spent, "peak": (memory("VmHWM") - idle) / 1024}))


if __name__ == "__main__":
    main(*sys.argv[1:])
