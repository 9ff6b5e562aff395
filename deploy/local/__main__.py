"""The command `python -m deploy.local`."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local import cache, progress
from deploy.local.build import binaries, debian_packages, image_builder, images, versions
from deploy.local.errors import LocalClusterError
from deploy.local.native.cluster import Native, prerequisites

Command = Callable[[argparse.Namespace, cache.Cache], int]


def up(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Make a cluster, or find the one that runs; print its kubeconfig's path."""
    cluster = Native(store).up(arguments.name, arguments.nodes)
    programs = binaries.directory(store, "kubernetes")
    print(f"# the cluster {cluster.name} is ready: {', '.join(cluster.nodes)}", file=sys.stderr)
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    print(f"export PATH={programs}:{binaries.directory(store, 'helm')}:$PATH")
    return 0


def down(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Remove every trace of the cluster."""
    Native(store).down(arguments.name)
    return 0


def status(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Say whether the cluster runs (exit code 1 if not), and what is being made ready."""
    step = progress.read(store.progress)
    if step and step.took is None:
        print(f"under way: {step.what}")
    provider = Native(store)
    cluster = provider.find(arguments.name)
    if cluster is None:
        ended = ", ".join(provider.ended(arguments.name))
        print(f"no cluster {arguments.name}" + (f" (broken: {ended} ended; `up` makes it anew)" if ended else ""))
        return 1
    print(f"cluster {cluster.name}\nnodes {' '.join(cluster.nodes)}\nkubeconfig {cluster.kubeconfig}")
    return 0


def verify_clean(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Compare the machine with what it was before the cluster; exit code 1 if anything is left."""
    traces = Native(store).traces(arguments.name)
    for line in traces:
        print(f"left behind: {line}")
    if not traces:
        print("clean: processes, mounts, links, routes, cgroups, firewall rules, directories, kernel settings")
    return 1 if traces else 0


def import_image(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Bring an OCI archive into the cluster's nodes."""
    Native(store).import_image(arguments.name, arguments.archive)
    return 0


def build_images(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Build the product's images, print their sizes, and push them if a registry is named."""
    names = arguments.images or list(images.IMAGES)
    built = images.ensure(store, names)
    sizes = images.sizes(store, built)
    base = sizes.get(image_builder.BASE_REFERENCE, 0)
    print(f"{image_builder.BASE}: {base / 1e6:.0f} MB unpacked")
    for one in built:
        total = sizes[one.image.reference]
        unpacked = f"{total / 1e6:.0f} MB unpacked ({(total - base) / 1e6:.0f} MB beyond its base)"
        print(f"{one.image.repository}:{images.TAG}: {unpacked}, {one.archive.stat().st_size / 1e6:.0f} MB packed")
    if arguments.push:
        for target in images.push(store, names, arguments.push):
            print(f"pushed {target}")
    return 0


def prepare(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Make programs and images ready, so that what follows is quick; images are for a node, which this checks first."""
    if not arguments.binaries:
        prerequisites()
    if arguments.background:
        return _prepare_in_background(arguments, store)
    for name in ("versitygw", "ferretdb", "etcd", "kubernetes", "helm", "pause"):
        binaries.directory(store, name)
    if not arguments.binaries:
        images.ensure(store, images.IMAGES)
    return 0


def _prepare_in_background(arguments: argparse.Namespace, store: cache.Cache) -> int:
    command = [sys.executable, "-m", "deploy.local", "prepare", *(["--binaries"] if arguments.binaries else [])]
    log = store.root / "prepare.log"
    store.root.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        # Who needs a part before it is ready waits at its lock.
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)
    print(f"making programs and images ready in the background; log: {log}", file=sys.stderr)
    return 0


def render(_: argparse.Namespace, store: cache.Cache) -> int:
    """Print the manifests of the chart, namespace and definitions included."""
    chart = images.REPOSITORY / "charts" / cache.NAME
    # Without a cluster helm would take the version that it was built for; 1.30 is the oldest that the chart supports.
    options = ["--namespace", "whatsapp-operator", "--set", "namespace.create=true", "--kube-version", "1.30.0"]
    return subprocess.run(
        [str(binaries.program(store, "helm")), "template", cache.NAME, str(chart), "--no-hooks", *options], check=False
    ).returncode


def make_binaries(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Make programs ready and print where they are."""
    for name in arguments.tools or versions.TOOLS:
        print(binaries.directory(store, name))
    return 0


def install_packages(arguments: argparse.Namespace, _: cache.Cache) -> int:
    """Install the Debian packages that are missing."""
    debian_packages.ensure(*(arguments.uses or ("node", "image", "browser", "javascript")))
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    main = argparse.ArgumentParser(
        prog="python -m deploy.local", description="A real Kubernetes on this machine, and the images for it."
    )
    commands = main.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Command) -> argparse.ArgumentParser:
        text = run.__doc__ or ""
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    for name, run in (("up", up), ("down", down), ("status", status), ("verify-clean", verify_clean)):
        command(name, run).add_argument("--name", default="wso", help="the cluster's name (default wso)")
    commands.choices["up"].add_argument("--nodes", type=int, default=1, help="how many nodes (default 1)")
    bring = command("import-image", import_image)
    bring.add_argument("archive", type=Path)
    bring.add_argument("--name", default="wso", help="the cluster's name (default wso)")
    build = command("images", build_images)
    build.add_argument("images", nargs="*", metavar="IMAGE", help=f"some of {', '.join(images.IMAGES)}; default all")
    build.add_argument("--push", metavar="REGISTRY", help="copy them to this registry, e.g. registry.example.com/team")
    early = command("prepare", prepare)
    early.add_argument("--binaries", action="store_true", help="the programs only, no images")
    early.add_argument("--background", action="store_true", help="return at once; it goes on at low priority")
    command("render", render)
    make = command("binaries", make_binaries)
    make.add_argument("tools", nargs="*", metavar="TOOL", help=f"some of {', '.join(versions.TOOLS)}; default all")
    install = command("packages", install_packages)
    install.add_argument("uses", nargs="*", metavar="USE", help="some of node, image, browser, javascript; default all")
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; a LocalClusterError becomes its one sentence and exit code 1."""
    parsed = parser().parse_args(arguments)
    run: Command = parsed.run
    try:
        return run(parsed, cache.locate())
    except LocalClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was begun is removed by the next `up` or `down`", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
