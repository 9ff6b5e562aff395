"""Archives through each store: memory, time and CPU, beside the plain client in the same run."""

import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from component.stores import servers
from whatsapp_session import worker_config

ROUNDS = 3
MB = 1_000_000
GOAL_MEMORY = 64.0
GOAL_RATIO = 1.15
RUN = pathlib.Path(__file__).with_name("store_run.py")


@dataclass(frozen=True, slots=True)
class Took:
    """What one move took: seconds, CPU seconds, MiB over idle."""

    seconds: float
    cpu: float
    peak: float


def noise(file: pathlib.Path, size: int) -> pathlib.Path:
    """Write what does not compress, as most of an archive."""
    with file.open("wb") as stream:
        for number in range(0, size, 1 << 20):
            stream.write(random.Random(number).randbytes(min(1 << 20, size - number)))
    return file


def move(who: str, verb: str, file: pathlib.Path, env: Mapping[str, str]) -> Took:
    command = [sys.executable, str(RUN), who, verb, str(file)]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return Took(**json.loads(done.stdout))


def compare(plain: str, file: pathlib.Path, env: Mapping[str, str]) -> None:
    """Move the file with both, in turns, and print the medians."""
    size = file.stat().st_size
    taken: dict[tuple[str, str], list[Took]] = {}
    for number in range(ROUNDS):
        ours = {**env, "WHATSAPP_STORE": env["WHATSAPP_STORE"].replace("ROUND", str(number))}
        for verb in ("save", "restore"):
            # What the plain clients of the servers do not do is measured alone, to be told apart.
            for who, told in (("ours", ours), (plain, env), ("digest", env)):
                there = file if verb == "save" or who == "digest" else file.with_suffix(".back")
                taken.setdefault((verb, who), []).append(move(who, verb, there, told))
                if verb == "restore":
                    assert there.stat().st_size == size
    print(f"\n{size / MB:.0f} MB, median of {ROUNDS}:")
    for verb in ("save", "restore"):
        mine, theirs = (_median(taken[verb, who]) for who in ("ours", plain))
        for who, took in (("ours", mine), (plain, theirs)):
            speed = size / MB / took.seconds
            print(
                f"  {verb:8} {who:17} {took.seconds:6.2f} s {speed:6.0f} MB/s  {took.cpu:5.2f} s CPU  "
                f"{took.peak:5.0f} MiB over idle"
            )
        ratios = f"time {mine.seconds / theirs.seconds:.2f}, CPU {mine.cpu / theirs.cpu:.2f}"
        bare = (mine.cpu - _median(taken[verb, "digest"]).cpu) / theirs.cpu
        print(f"  {verb:8} ours / {plain}: {ratios} (less the digest of the archive: {bare:.2f})")
        assert mine.peak < GOAL_MEMORY, f"{verb} needs {mine.peak:.0f} MiB over idle"


def _median(taken: list[Took]) -> Took:
    return Took(*(statistics.median(getattr(one, name) for one in taken) for name in ("seconds", "cpu", "peak")))


@pytest.fixture
def large(tmp_path: pathlib.Path) -> pathlib.Path:
    """A file of 1 GB."""
    return noise(tmp_path / "large.zip", 1000 * MB)


def test_a_gigabyte_through_the_filesystem(large: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "plain").mkdir()
    config = worker_config.WorkerConfig(store=f"file:{tmp_path}/ROUND")
    compare("plain-filesystem", large, worker_config.to_env(config) | {"BENCH_DIRECTORY": str(tmp_path / "plain")})


def test_a_gigabyte_through_s3(large: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with servers.s3_server(tmp_path / "server") as server:
        client = server.client()
        client.create_bucket(Bucket=servers.BUCKET)
        client.close()
        config = worker_config.WorkerConfig(
            store=server.address(servers.BUCKET, "ROUND"),
            store_secrets=str(servers.write_s3_secrets(tmp_path / "secrets")),
        )
        plain = {"AWS_ACCESS_KEY_ID": servers.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": servers.SECRET_KEY}
        plain |= {"BENCH_ENDPOINT": server.endpoint, "BENCH_BUCKET": servers.BUCKET}
        compare("plain-s3", large, worker_config.to_env(config) | plain)


def test_128_megabytes_through_mongodb(tmp_path: pathlib.Path) -> None:
    file = noise(tmp_path / "archive.zip", 128 * MB)
    with servers.mongo_server(tmp_path / "server") as server:
        secrets = servers.write_mongo_secrets(tmp_path / "secrets", server.uri())
        config = worker_config.WorkerConfig(store="mongodb:ours-ROUND", store_secrets=str(secrets))
        compare("plain-mongodb", file, worker_config.to_env(config) | {"BENCH_URI": server.uri()})
