"""Find a container engine whose server answers; an installed client alone is not enough."""

from deploy.local.commands import SYSTEM, Commands

ENGINES = ("docker", "podman")
_SECONDS = 20.0


def answers(engine: str, commands: Commands = SYSTEM) -> bool:
    """Return whether the engine is installed and its server answers."""
    return commands.find(engine) is not None and commands.succeeds([engine, "info"], timeout=_SECONDS)


def find(commands: Commands = SYSTEM) -> str | None:
    """Return the first engine of ENGINES that answers; None if there is none."""
    return next((engine for engine in ENGINES if answers(engine, commands)), None)
