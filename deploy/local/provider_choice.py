"""Choose the provider: the one that is asked for, else that of the existing cluster, else by container engine."""

import os
from collections.abc import Mapping

from deploy.local import cache, container_engine
from deploy.local.commands import SYSTEM, Commands
from deploy.local.errors import LocalClusterError
from deploy.local.kind import Kind
from deploy.local.native.cluster import Native
from deploy.local.provider import LocalProvider

VARIABLE = "WSO_PROVIDER"
PROVIDERS = (Kind.NAME, Native.NAME)


def requested(option: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the provider that the option or, without it, the environment names; None if neither does."""
    name = option or environ.get(VARIABLE) or None
    if name not in (None, *PROVIDERS):
        raise LocalClusterError(f"{name!r} is not a provider: set {VARIABLE} or --provider to kind or native.")
    return name


def choose(
    store: cache.Cache, cluster: str | None = None, option: str | None = None, commands: Commands = SYSTEM
) -> LocalProvider:
    """Return the provider for a cluster; a cluster keeps the provider that created it.

    Without a request and without such a cluster: kind where docker or podman answers, else native.
    """
    providers: dict[str, LocalProvider] = {Kind.NAME: Kind(store, commands), Native.NAME: Native(store)}
    if name := requested(option, os.environ):
        return providers[name]
    for provider in providers.values():
        if cluster is not None and provider.has_files(cluster):
            return provider
    return providers[Kind.NAME if container_engine.find(commands) else Native.NAME]
