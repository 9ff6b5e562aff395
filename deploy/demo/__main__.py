"""The command ``python -m deploy.demo``: ``try`` tells act 1, ``run`` the whole story."""

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from deploy.demo import cluster_act, processes_act
from deploy.demo.narration import Narrator, StoryError
from deploy.local import binaries, cache, images, progress
from deploy.local.errors import LocalClusterError

PROGRESS_SECONDS = 15.0


def _prepare(store: cache.Cache) -> None:
    for tool in ("kubernetes", "etcd", "helm"):
        binaries.directory(store, tool)
    images.build(store)


def _show_progress(narrator: Narrator, store: cache.Cache, ended: threading.Event) -> None:
    """Print one line about what is being built every now and then, until ``ended``."""
    while not ended.wait(PROGRESS_SECONDS):
        step = progress.read(store.progress)
        if step is not None and step.took is None:
            narrator.say(f"    ... {step.line(time.time())}")


def run(narrator: Narrator) -> None:
    """Tell both acts; what the second needs is made ready beside the first."""
    store = cache.locate()
    with ThreadPoolExecutor(max_workers=1) as beside:
        preparation = beside.submit(_prepare, store)
        narrator.say("== Act 1: without Kubernetes (what act 2 needs is made ready beside it) ==")
        processes_act.ProcessesAct(narrator).play()
        narrator.say("\n== Act 2: on a real Kubernetes ==")
        ended = threading.Event()
        lines = threading.Thread(target=_show_progress, args=(narrator, store, ended), daemon=True)
        with narrator.step("Kubernetes' programs and the images ready (from the cache, or built from source)"):
            lines.start()
            try:
                preparation.result()
            finally:
                ended.set()
                lines.join()
        cluster_act.ClusterAct(narrator, store).play()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns 1 with one sentence when the story did not end as told."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description="Tell the product's story.")
    parser.add_argument("act", choices=("try", "run"), help="try: act 1, local processes; run: both acts")
    arguments = parser.parse_args(argv)
    narrator = Narrator()
    try:
        if arguments.act == "try":
            processes_act.ProcessesAct(narrator).play()
        else:
            run(narrator)
    except (StoryError, LocalClusterError) as error:
        sys.stderr.write(f"the story broke off: {error}\n")
        return 1
    narrator.say(f"\nThe whole story took {narrator.elapsed():.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
