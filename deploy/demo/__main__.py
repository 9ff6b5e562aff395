"""The command ``python -m deploy.demo``: ``try`` runs part 1, ``run`` both parts."""

import argparse
import sys
import threading
import time
from collections.abc import Sequence

from deploy.demo import kubernetes_demo, local_demo, prefetch
from deploy.demo.console import Console, DemoError
from deploy.local import cache, progress
from deploy.local.errors import LocalClusterError
from deploy.local.provider import DEFAULT_NAME
from deploy.local.provider_choice import choose
from simulator import client

PROGRESS_SECONDS = 15.0


def _show_progress(console: Console, store: cache.Cache, ended: threading.Event) -> None:
    """Print one line about the running build every 15 seconds until ``ended`` is set."""
    while not ended.wait(PROGRESS_SECONDS):
        step = progress.read(store.progress)
        if step is not None and step.took is None:
            console.say(f"    ... {step.line(time.time())}")


def run(console: Console) -> None:
    """Run both parts; a process fetches and builds what part 2 needs while part 1 runs."""
    store = cache.locate()
    provider = choose(store, DEFAULT_NAME)
    provider.prepare(programs=False)
    with prefetch.Prefetch() as preparation:
        console.say("== Part 1: without Kubernetes (part 2 is prepared in the background) ==")
        local_demo.LocalDemo(console).run()
        console.say("\n== Part 2: on a real Kubernetes ==")
        ended = threading.Event()
        lines = threading.Thread(target=_show_progress, args=(console, store, ended), daemon=True)
        with console.step("Kubernetes' programs and the images ready (from the cache, or built from source)"):
            lines.start()
            try:
                preparation.wait()
            finally:
                ended.set()
                lines.join()
    kubernetes_demo.KubernetesDemo(console, store, provider).run()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns 1 with one sentence when a step failed, 130 when it was interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.demo",
        description="Demonstrate the product on this machine, with a simulated WhatsApp Web and phone.",
    )
    text = "try: part 1 only, with local processes and without Kubernetes; run: parts 1 and 2, with a local cluster"
    parser.add_argument("parts", choices=("try", "run"), help=text)
    arguments = parser.parse_args(argv)
    console = Console()
    try:
        if arguments.parts == "try":
            local_demo.LocalDemo(console).run()
        else:
            run(console)
    except (DemoError, LocalClusterError, client.RefusedError, client.WaitedInVainError) as error:
        sys.stderr.write(f"the demo failed: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; `make cluster-down` removes a cluster that was created\n")
        return 130
    console.say(f"\nThe demo took {console.elapsed():.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
