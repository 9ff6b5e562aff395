"""The command ``python -m deploy.demo``: ``try`` tells act 1, ``run`` the whole story."""

import argparse
import sys
import threading
import time
from collections.abc import Sequence

from deploy.demo import kubernetes_demo, local_demo, prefetch
from deploy.demo.console import Narrator, StoryError
from deploy.local import cache, progress
from deploy.local.errors import LocalClusterError
from deploy.local.native.cluster import prerequisites
from simulator import client

PROGRESS_SECONDS = 15.0


def _show_progress(narrator: Narrator, store: cache.Cache, ended: threading.Event) -> None:
    """Print one line about what is being built every now and then, until ``ended``."""
    while not ended.wait(PROGRESS_SECONDS):
        step = progress.read(store.progress)
        if step is not None and step.took is None:
            narrator.say(f"    ... {step.line(time.time())}")


def run(narrator: Narrator) -> None:
    """Tell both acts; what the second needs is made ready beside the first."""
    store = cache.locate()
    prerequisites()
    with prefetch.Preparation() as beside:
        narrator.say("== Act 1: without Kubernetes (what act 2 needs is made ready beside it) ==")
        local_demo.ProcessesAct(narrator).play()
        narrator.say("\n== Act 2: on a real Kubernetes ==")
        ended = threading.Event()
        lines = threading.Thread(target=_show_progress, args=(narrator, store, ended), daemon=True)
        with narrator.step("Kubernetes' programs and the images ready (from the cache, or built from source)"):
            lines.start()
            try:
                beside.wait()
            finally:
                ended.set()
                lines.join()
    kubernetes_demo.ClusterAct(narrator, store).play()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns 1 with one sentence when the story did not end as told, 130 when it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description="Tell the product's story.")
    parser.add_argument("act", choices=("try", "run"), help="try: act 1, local processes; run: both acts")
    arguments = parser.parse_args(argv)
    narrator = Narrator()
    try:
        if arguments.act == "try":
            local_demo.ProcessesAct(narrator).play()
        else:
            run(narrator)
    except (StoryError, LocalClusterError, client.RefusedError, client.WaitedInVainError) as error:
        sys.stderr.write(f"the story broke off: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; a cluster that was begun is removed by `make cluster-down`\n")
        return 130
    narrator.say(f"\nThe whole story took {narrator.elapsed():.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
