"""What the verbs that list plugins share: all of a registry that can be used, and the others."""

from typing import Any, TypeVar

from inrc.cli import screen
from inrc.errors import RegistryError
from inrc.registry import Plugin, Registry

T = TypeVar("T")


def usable(registry: Registry[T]) -> tuple[dict[str, type[T]], list[dict[str, str]]]:
    """Import all plugins of a registry; a broken one is a warning on stderr.

    Returns:
        the classes by name, and `name` and `reason` of every broken plugin.
    """
    kinds: dict[str, type[T]] = {}
    broken: list[dict[str, str]] = []
    for name in registry.names():
        try:
            kinds[name] = registry.find(name)
        except RegistryError as error:
            screen.complain(f"warning: {error}")
            broken.append({"name": name, "reason": str(error)})
    return kinds, broken


def origin(plugin: Plugin) -> dict[str, Any]:
    """Where a plugin comes from, for a JSON object."""
    return {
        "class": plugin.target,
        "distribution": plugin.distribution,
        "version": plugin.version,
    }
