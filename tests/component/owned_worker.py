"""A worker with the identity that a pod would have: ``OWNER-JSON run ...``.

The poll interval is short, so that a test of a take-over does not wait a minute (which is computed from it), and long
enough for a busy machine to ask the store within it.
"""

import json
import sys

from whatsapp_worker import client
from whatsapp_worker.cli import run
from whatsapp_worker.repository import fencing, records
from whatsapp_worker.runtime import runner

POLL = 15

if __name__ == "__main__":
    owner = records.Owner(**json.loads(sys.argv[1]))
    client.local_owner = lambda data_path: owner
    fencing.POLL_SECONDS, runner.WATCH = POLL, POLL / 3
    sys.exit(run.main(sys.argv[2:]))
