"""What a save costs beside the session: memory that does not grow with the profile, and no second copy on the disk."""

import json
import os
import pathlib
import subprocess
import sys

from scenes.worker import profile_maker

MEGABYTES = 100
LIMIT = 48 << 20
"""Bytes of memory that a save may take beyond what the process had before, at any size of the profile."""
PROGRAM = """
import json, pathlib, resource, sys, threading, time
from whatsapp_worker.repository import generations
from whatsapp_worker.repository import log
from whatsapp_worker.repository import records
from whatsapp_worker.profile import snapshot
from whatsapp_worker.profile import layout
from whatsapp_worker.stores import filesystem

profile, store = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
stager = snapshot.Staging(profile, layout.origin_folder("https://web.whatsapp.com/"))
journal = log.SessionLog(filesystem.FilesystemStore(store), "RemoteAuth", records.Owner(host="h"))
journal.newest()
journal.append(records.Claim(60))
kept = generations.Generations(filesystem.FilesystemStore(store), journal)

def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

def used():  # blocks of the disk below the profile's parent: a hard link has none of its own
    seen = {}
    for path in profile.parent.rglob("*"):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        seen[status.st_ino] = status.st_blocks * 512
    return sum(seen.values())

before, disk, peak, most, over = resident(), used(), 0, 0, False

def watch():
    global peak, most
    while not over:
        peak, most = max(peak, resident()), max(most, used())
        time.sleep(0.005)

watcher = threading.Thread(target=watch)
watcher.start()
with stager.closed(None) as staged:
    made = kept.publish(staged, "aa", "Request", "156")
over = True
watcher.join()
print(json.dumps({"memory": peak - before, "disk": most - disk, "archive": made.generation.size}))
"""


def test_a_save_of_100_mb_takes_little_memory_and_no_second_copy_on_the_disk(tmp_path: pathlib.Path) -> None:
    profile = tmp_path / "data" / "RemoteAuth"
    profile_maker.profile(profile)
    blobs = profile / "Default" / "IndexedDB" / "https_web.whatsapp.com_0.indexeddb.blob" / "1" / "00"
    blobs.mkdir(parents=True, exist_ok=True)
    for number in range(MEGABYTES):
        (blobs / f"{number:x}").write_bytes(os.urandom(1 << 20))
    command = [sys.executable, "-c", PROGRAM, str(profile), str(tmp_path / "store")]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout)
    print(found)
    assert found["archive"] > MEGABYTES << 20, "random bytes do not shrink: the whole was archived"
    assert found["memory"] < LIMIT
    assert found["disk"] < 8 << 20, "what is written once is linked, not copied; the archive is a stream"
