"""The one door to modalities: entry points of the group `inrc.modalities`, loaded by name."""

import inspect
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from inrc.errors import RegistryError

if TYPE_CHECKING:
    from inrc.signal import Modality

GROUP = "inrc.modalities"


@dataclass(frozen=True, order=True)
class Plugin:
    """A modality that a distribution says it has; nothing of it is imported yet."""

    name: str
    target: str
    """`module:class`."""
    distribution: str
    version: str

    def __str__(self) -> str:
        """For messages: what to look for, and what to update or uninstall."""
        return f"{self.target} of {self.distribution} {self.version}"

    def load(self) -> "type[Modality]":
        """Import the class.

        Raises RegistryError if that fails, if it is no complete Modality, calls itself another
        name, or is written for a newer contract than this inrc's.
        """
        from inrc.signal import CONTRACT, Modality

        try:
            found = EntryPoint(self.name, self.target, GROUP).load()
        except Exception as error:  # foreign code may raise whatever it likes
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise self._broken(reason) from error
        if not (isinstance(found, type) and issubclass(found, Modality)):
            raise self._broken("it is not a Modality")
        if found.contract > CONTRACT:
            raise self._broken(
                f"it is written for contract {found.contract} and this inrc has {CONTRACT}: "
                "update inrc"
            )
        if inspect.isabstract(found):
            raise self._broken(f"it lacks {', '.join(sorted(found.__abstractmethods__))}")
        if getattr(found, "name", None) != self.name:
            raise self._broken(f"it calls itself {getattr(found, 'name', None)!r}")
        return found

    def _broken(self, reason: str) -> RegistryError:
        return RegistryError(f"modality {self.name!r} ({self}) does not work: {reason}")


def installed() -> list[Plugin]:
    """All plugins, sorted by name; nothing is imported, and a name may occur twice."""
    found = set()
    for entry in entry_points(group=GROUP):
        distribution = entry.dist
        found.add(
            Plugin(
                entry.name,
                entry.value,
                distribution.name if distribution else "an unknown distribution",
                distribution.version if distribution else "",
            )
        )
    return sorted(found)


def names() -> list[str]:
    """The names of all plugins, each once, sorted."""
    return sorted({plugin.name for plugin in installed()})


def find(name: str) -> "type[Modality]":
    """Import the modality of this name, and no other.

    Raises RegistryError if there is none, if two distributions claim the name, or if it is broken.
    """
    plugins = [plugin for plugin in installed() if plugin.name == name]
    if not plugins:
        known = ", ".join(names()) or "none"
        raise RegistryError(f"unknown modality {name!r}; installed: {known}")
    if len(plugins) > 1:
        both = " and by ".join(str(plugin) for plugin in plugins)
        raise RegistryError(f"modality {name!r} is claimed by {both}: uninstall one of them")
    return plugins[0].load()
