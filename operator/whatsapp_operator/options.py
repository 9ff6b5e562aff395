"""Parse the operator's command line and environment into one frozen value."""

import argparse
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from whatsapp_operator import option_values, rollout
from whatsapp_operator.admission_policy import AdmissionPolicy
from whatsapp_operator.errors import UsageError
from whatsapp_operator.manifests.pod_security import Level
from whatsapp_operator.manifests.pod_shape import SCHEDULING, PodSettings
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_session import release

ENV = "WHATSAPP_OPERATOR_"
RUN, RELEASE = "run", "release-finalizers"
LEVELS = ("debug", "info", "warning", "error")
PULLS = ("Always", "IfNotPresent", "Never")
ELECTION = "whatsapp-session-operator"
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_KUBECONFIG = "path of the kubeconfig (default: the pod's service account, else KUBECONFIG, else ~/.kube/config)"
_CONTEXT = "context of the kubeconfig (default: its current context)"


@dataclass(frozen=True, slots=True)
class Election:
    """Namespace and name of the Lease of an election."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Options:
    """How the operator runs. An empty ``namespaces`` means all."""

    worker_image: str
    command: str = RUN
    worker_image_pull_policy: str = "IfNotPresent"
    worker_image_pull_secrets: tuple[str, ...] = ()
    worker_resources: Mapping[str, Any] = field(default_factory=dict)
    worker_host_aliases: tuple[Mapping[str, Any], ...] = ()
    worker_extra_browser_args: tuple[str, ...] = ()
    pod_security: Level = Level.RESTRICTED
    pod_settings: PodSettings = field(default_factory=PodSettings)
    namespaces: tuple[str, ...] = ()
    kubeconfig: str | None = None
    context: str | None = None
    health_port: int | None = None
    log_level: str = "info"
    admission_policy: str = AdmissionPolicy.REQUIRED
    workers: int = 32
    limits: rollout.Limits = field(default_factory=rollout.Limits)
    election: Election | None = None
    """The Lease by which operators elect the one that works, None for no election."""


class _Parser(argparse.ArgumentParser):
    """A parser that reports a mistake as UsageError, one sentence as for all other mistakes."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `{self.prog} --help` lists the options")


Option: TypeAlias = Callable[..., None]


def parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return the parser of the command line; the default of each option of ``run`` may come from the environment."""
    top = _Parser(
        prog="whatsapp-operator",
        description="Operator for WhatsApp Web sessions: run a worker pod for each WhatsAppSession.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {release.version()}")
    commands = top.add_subparsers(dest="command", required=True)
    _add_release(commands)
    run = commands.add_parser(
        RUN,
        help="run the operator",
        description="Run the operator: in a pod with its service account, elsewhere with a kubeconfig.",
        epilog=f"Each option can also be set by an environment variable, such as {ENV}WORKER_IMAGE for --worker-image;"
        " values of a repeatable option are separated by blanks.",
    )

    def option(name: str, **more: Any) -> None:
        variable = ENV + name.strip("-").upper().replace("-", "_")
        default = environ.get(variable, more.pop("default", None))
        if more.get("action") == "append":
            default = default.split() if isinstance(default, str) else []
        run.add_argument(name, default=default, **more)

    _add_worker_options(option)
    _add_operator_options(option)
    _add_limits(option)
    return top


def _add_release(commands: Any) -> None:
    release = commands.add_parser(
        RELEASE,
        help="remove finalizers left behind after an uninstall",
        description="Remove the operator's finalizers from sessions and stores, and delete pods that purge archives."
        " Archives are kept. Use it after an uninstall only: a running operator sets the finalizers again.",
    )
    release.add_argument(
        "--namespace", action="append", default=[], help="namespace to process (repeatable; default: all)"
    )
    release.add_argument("--kubeconfig", metavar="FILE", help=_KUBECONFIG)
    release.add_argument("--context", help=_CONTEXT)
    release.add_argument("--log-level", choices=LEVELS, default="info", help="log level (default: info)")


def _add_worker_options(option: Option) -> None:
    image = f"whatsapp-session-worker:{release.version()}"
    option("--worker-image", metavar="IMAGE", default=image, help=f"image of worker pods (default: {image})")
    option(
        "--worker-image-pull-policy",
        choices=PULLS,
        default="IfNotPresent",
        help="pull policy of the worker image (default: IfNotPresent)",
    )
    option(
        "--worker-image-pull-secret",
        metavar="NAME",
        action="append",
        help="name of an image pull Secret in the namespaces of sessions and stores (repeatable; default: none)",
    )
    option(
        "--worker-resources",
        metavar="JSON",
        default="{}",
        help='requests and limits of the worker container, such as {"requests": {"memory": "512Mi"}} (default: none)',
    )
    option(
        "--worker-host-alias",
        metavar="IP=HOST[,HOST]",
        action="append",
        help="additional entry of /etc/hosts in worker pods (repeatable; default: none)",
    )
    option(
        "--worker-extra-browser-arg",
        metavar="ARG",
        action="append",
        help="additional switch for the browser of every worker (repeatable; default: none)",
    )
    option(
        "--pod-security",
        choices=[str(level) for level in Level],
        default=str(Level.RESTRICTED),
        help="Pod Security Standard that the podTemplate of a session must meet (default: restricted)",
    )
    option(
        "--pod-settings",
        metavar="JSON",
        default="{}",
        help="what every pod that the operator creates has: labels, annotations, securityContext, storePodResources"
        f" (of the pods that check, move and purge stores), {', '.join(SCHEDULING)} (default: {{}})",
    )


def _add_operator_options(option: Option) -> None:
    option("--namespace", action="append", help="namespace to watch (repeatable; default: all)")
    option("--kubeconfig", metavar="FILE", help=_KUBECONFIG)
    option("--context", help=_CONTEXT)
    option(
        "--leader-elect",
        choices=("true", "false"),
        default="true",
        help="whether operators that share a Lease elect one that works, while the others stand by (default: true)",
    )
    option(
        "--leader-elect-namespace",
        metavar="NAMESPACE",
        help="namespace of that Lease (default: the operator's own; outside a pod: default)",
    )
    option(
        "--leader-elect-name",
        metavar="NAME",
        default=ELECTION,
        help=f"name of that Lease, the same for all operators of one installation (default: {ELECTION})",
    )
    option(
        "--health-port", metavar="PORT", help="port for /healthz, /readyz and /metrics, 0 for any (default: not served)"
    )
    option("--log-level", choices=LEVELS, default="info", help="log level (default: info)")
    option(
        "--admission-policy",
        choices=tuple(AdmissionPolicy),
        default=AdmissionPolicy.REQUIRED,
        help="whether workers may start while the admission policy is missing: Required means no, Unchecked means yes"
        " (default: Required)",
    )


def _add_limits(option: Option) -> None:
    limits = rollout.Limits()

    def number(name: str, default: int, text: str) -> None:
        option(name, default=str(default), metavar="N", help=f"{text} (default: {default})")

    number("--workers", 32, "maximum number of reconciliations at the same time; one namespace uses at most half of it")
    number("--max-starting", limits.starting, "maximum number of worker pods that start at the same time")
    replaced = "maximum number of worker pods that are replaced at the same time"
    number("--max-replacing", limits.replacing, replaced)
    number("--max-replacing-percent", limits.replacing_percent, f"{replaced}, in percent of all sessions, at least one")
    number("--max-replacing-per-node", limits.replacing_per_node, f"{replaced} on one node")


def parse(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> Options:
    """Parse the command line; raises UsageError with one sentence, or exits as argparse does for ``--help``."""
    found = parser(os.environ if environ is None else environ).parse_args(arguments)
    if found.command == RELEASE:
        return Options(
            worker_image="",
            command=RELEASE,
            namespaces=option_values.objects("--namespace", found.namespace, "namespace"),
            kubeconfig=found.kubeconfig,
            context=found.context,
            log_level=found.log_level,
        )
    secrets, port = found.worker_image_pull_secret, found.health_port
    known = tuple(AdmissionPolicy)
    return Options(
        worker_image=option_values.image(found.worker_image),
        worker_image_pull_policy=option_values.choice(
            "--worker-image-pull-policy", found.worker_image_pull_policy, PULLS
        ),
        worker_image_pull_secrets=option_values.objects("--worker-image-pull-secret", secrets, "Secret"),
        worker_resources=option_values.resources("--worker-resources", found.worker_resources),
        pod_settings=option_values.pod_settings("--pod-settings", found.pod_settings),
        worker_host_aliases=tuple(option_values.alias(text) for text in found.worker_host_alias),
        worker_extra_browser_args=option_values.switches(found.worker_extra_browser_arg),
        pod_security=Level(option_values.choice("--pod-security", found.pod_security, tuple(Level))),
        namespaces=option_values.objects("--namespace", found.namespace, "namespace"),
        kubeconfig=found.kubeconfig,
        context=found.context,
        health_port=None if port is None else option_values.number("--health-port", port, 0, 65535),
        log_level=option_values.choice("--log-level", found.log_level, LEVELS),
        admission_policy=option_values.choice("--admission-policy", found.admission_policy, known),
        workers=option_values.number("--workers", found.workers, 1, 1000),
        limits=_limits(found),
        election=_election(found),
    )


def _election(found: argparse.Namespace) -> Election | None:
    if option_values.choice("--leader-elect", found.leader_elect, ("true", "false")) == "false":
        return None
    namespace = found.leader_elect_namespace or _own_namespace()
    (place,) = option_values.objects("--leader-elect-namespace", [namespace], "namespace")
    (name,) = option_values.objects("--leader-elect-name", [found.leader_elect_name], "Lease")
    return Election(place, name)


def _own_namespace() -> str:
    try:
        return OWN_NAMESPACE.read_text().strip() or "default"
    except OSError:
        return "default"


def _limits(found: argparse.Namespace) -> rollout.Limits:
    return rollout.Limits(
        starting=option_values.number("--max-starting", found.max_starting, 1, 100_000),
        replacing=option_values.number("--max-replacing", found.max_replacing, 1, 100_000),
        replacing_percent=option_values.number("--max-replacing-percent", found.max_replacing_percent, 1, 100),
        replacing_per_node=option_values.number("--max-replacing-per-node", found.max_replacing_per_node, 1, 100_000),
    )


def worker_defaults(chosen: Options, cluster: str) -> WorkerDefaults:
    """Return what the command line says of all pods; ``cluster`` is the UID of kube-system."""
    return WorkerDefaults(
        image=chosen.worker_image,
        cluster=cluster,
        image_pull_policy=chosen.worker_image_pull_policy,
        pods=dataclasses.replace(
            chosen.pod_settings,
            host_aliases=chosen.worker_host_aliases,
            image_pull_secrets=chosen.worker_image_pull_secrets,
        ),
        resources=chosen.worker_resources,
        extra_browser_args=chosen.worker_extra_browser_args,
        pod_security=chosen.pod_security,
    )
