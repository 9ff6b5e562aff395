"""The command `python -m deploy.local`."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local import cache, progress
from deploy.local.build import binaries, debian_packages, image_builder, images, versions
from deploy.local.errors import LocalClusterError
from deploy.local.provider import DEFAULT_NAME, LocalProvider
from deploy.local.provider_choice import PROVIDERS, VARIABLE, choose

Command = Callable[[argparse.Namespace, cache.Cache], int]
TEST_PROGRAMS = ("versitygw", "ferretdb", "etcd", "kubernetes", "helm")


def _provider(arguments: argparse.Namespace, store: cache.Cache) -> LocalProvider:
    return choose(store, arguments.name, arguments.provider)


def up(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Create a cluster unless it runs; print the shell commands that select it."""
    provider = _provider(arguments, store)
    cluster = provider.up(arguments.name, arguments.nodes)
    programs = binaries.directory(store, "kubernetes")
    print(f"# the cluster {cluster.name} is ready ({provider.NAME}): {', '.join(cluster.nodes)}", file=sys.stderr)
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    print(f"export PATH={programs}:{binaries.directory(store, 'helm')}:$PATH")
    return 0


def down(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Remove every trace of the cluster."""
    _provider(arguments, store).down(arguments.name)
    return 0


def status(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Print whether the cluster runs and what is being built; exit code 1 if it does not run."""
    step = progress.read(store.progress)
    if step and step.took is None:
        print(f"in progress: {step.what}")
    provider = _provider(arguments, store)
    cluster = provider.find(arguments.name)
    if cluster is None:
        stopped = ", ".join(provider.stopped(arguments.name)) if provider.has_files(arguments.name) else ""
        reason = f" (broken: {stopped} stopped; `up` creates it again)" if stopped else ""
        print(f"no cluster {arguments.name}{reason}")
        return 1
    print(f"cluster {cluster.name}\nprovider {provider.NAME}\nnodes {' '.join(cluster.nodes)}")
    print(f"kubeconfig {cluster.kubeconfig}")
    return 0


def verify_clean(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Compare the machine with its state before the cluster existed; exit code 1 if anything is left."""
    leaks = _provider(arguments, store).leaks(arguments.name)
    for line in leaks:
        print(f"left behind: {line}")
    if not leaks:
        print(f"clean: nothing of the cluster {arguments.name} is left")
    return 1 if leaks else 0


def import_image(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Import an OCI archive into the nodes of the cluster."""
    _provider(arguments, store).import_image(arguments.name, arguments.archive)
    return 0


def build_images(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Build the images, print their sizes, and push them if --push is given."""
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
    """Fetch or build programs and images in advance, after a check that this machine can run a cluster."""
    if not arguments.binaries:
        choose(store, option=arguments.provider).prepare(programs=False)
    if arguments.background:
        return _prepare_in_background(arguments, store)
    for name in TEST_PROGRAMS:
        binaries.directory(store, name)
    if not arguments.binaries:
        choose(store, option=arguments.provider).prepare()
        images.ensure(store, images.IMAGES)
    return 0


def _prepare_in_background(arguments: argparse.Namespace, store: cache.Cache) -> int:
    command = [sys.executable, "-m", "deploy.local", "prepare", *(["--binaries"] if arguments.binaries else [])]
    command += ["--provider", arguments.provider] if arguments.provider else []
    log = store.root / "prepare.log"
    store.root.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        # A process that needs a part before it is ready waits for the lock of that part.
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)
    print(f"preparing programs and images in the background; log: {log}", file=sys.stderr)
    return 0


def render(_: argparse.Namespace, store: cache.Cache) -> int:
    """Print the manifests of the chart, with Namespace and CRDs."""
    chart = images.REPOSITORY / "charts" / cache.NAME
    # Without it helm assumes the Kubernetes that it was built for; 1.30 is the oldest that the chart supports.
    options = ["--namespace", "whatsapp-operator", "--set", "namespace.create=true", "--kube-version", "1.30.0"]
    return subprocess.run(
        [str(binaries.program(store, "helm")), "template", cache.NAME, str(chart), "--no-hooks", *options], check=False
    ).returncode


def make_binaries(arguments: argparse.Namespace, store: cache.Cache) -> int:
    """Fetch or build programs, and print their directories."""
    for name in arguments.tools or versions.TOOLS:
        print(binaries.directory(store, name))
    return 0


def install_packages(arguments: argparse.Namespace, _: cache.Cache) -> int:
    """Install missing Debian packages (needs root)."""
    debian_packages.ensure(*(arguments.uses or ("node", "image", "browser", "javascript", "clocks")))
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    main = argparse.ArgumentParser(
        prog="python -m deploy.local",
        description="Run local Kubernetes clusters (kind or native), and build the programs and images for them.",
    )
    commands = main.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Command) -> argparse.ArgumentParser:
        text = run.__doc__ or ""
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    def of_a_cluster(name: str, run: Command) -> argparse.ArgumentParser:
        added = command(name, run)
        added.add_argument("--name", default=DEFAULT_NAME, help=f"name of the cluster (default: {DEFAULT_NAME})")
        return _with_provider(added)

    for name, run in (("down", down), ("status", status), ("verify-clean", verify_clean)):
        of_a_cluster(name, run)
    of_a_cluster("up", up).add_argument("--nodes", type=int, default=1, help="number of nodes (default: 1)")
    of_a_cluster("import-image", import_image).add_argument("archive", type=Path, help="path of the OCI archive")
    build = command("images", build_images)
    build.add_argument("images", nargs="*", metavar="IMAGE", help=f"any of {', '.join(images.IMAGES)} (default: all)")
    build.add_argument("--push", metavar="REGISTRY", help="registry to push to, such as registry.example.com/team")
    early = _with_provider(command("prepare", prepare))
    early.add_argument("--binaries", action="store_true", help="prepare the programs only, not the images")
    early.add_argument("--background", action="store_true", help="return at once and continue in the background")
    command("render", render)
    make = command("binaries", make_binaries)
    make.add_argument("tools", nargs="*", metavar="TOOL", help=f"any of {', '.join(versions.TOOLS)} (default: all)")
    install = command("packages", install_packages)
    install.add_argument(
        "uses", nargs="*", metavar="USE", help="any of node, image, browser, javascript (default: all)"
    )
    return main


def _with_provider(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the option that chooses the provider."""
    text = f"{VARIABLE}, else that of the existing cluster, else kind if docker or podman answers, else native"
    command.add_argument("--provider", choices=PROVIDERS, help=f"provider of the cluster (default: {text})")
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; a LocalClusterError is printed and becomes exit code 1."""
    parsed = parser().parse_args(arguments)
    run: Command = parsed.run
    try:
        return run(parsed, cache.locate())
    except LocalClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the next `up` or `down` removes an incomplete cluster", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
