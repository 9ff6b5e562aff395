"""A worker as its pod runs it: ``POLL-SECONDS TERMINATION-LOG run``.

A poll interval of 60 s, as the product has it, makes a run of a minute impossible; the waits of a take-over are
computed from it. Libraries sleep by `select`: libfaketime makes `time.sleep` fail, which a wrong clock does not.
"""

import sys
import time

from whatsapp_session import names
from whatsapp_worker.system import steady_clock

if __name__ == "__main__":
    time.sleep = steady_clock.pause  # type: ignore[assignment] # its argument is a float
    # Some libraries take the function when they are imported.
    from whatsapp_worker.cli import run
    from whatsapp_worker.repository import fencing
    from whatsapp_worker.runtime import runner

    fencing.POLL_SECONDS = int(sys.argv[1])
    runner.WATCH = fencing.POLL_SECONDS / 3
    names.TERMINATION_LOG = sys.argv[2]  # a pod has a file system of its own
    sys.exit(run.main(sys.argv[3:]))
