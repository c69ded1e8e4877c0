"""Modalities by name: entry points of the group `inrc.modalities`, imported when asked for."""

import inspect
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import TYPE_CHECKING, Any

from inrc.errors import RegistryError, one_line

if TYPE_CHECKING:
    from inrc.signal import Modality

GROUP = "inrc.modalities"


@dataclass(frozen=True, order=True)
class Plugin:
    """A modality that a distribution declares; nothing of it is imported yet."""

    name: str
    target: str
    """`module:class`."""
    distribution: str
    version: str

    def __str__(self) -> str:
        """For messages: the class, and the distribution to update or uninstall."""
        return f"{self.target} of {self.distribution} {self.version}".strip()

    def load(self) -> "type[Modality]":
        """Import the class.

        Raises:
            RegistryError: the import fails, the class is not a complete Modality, has another name,
                or is written for a newer contract than this inrc's.
        """
        module, _, attribute = self.target.partition(":")
        if not all(word.isidentifier() for word in [*module.split("."), *attribute.split(".")]):
            raise self._broken("its entry point is not of the form module:class")
        try:
            with redirect_stdout(sys.stderr):  # stdout is for results only
                loaded = EntryPoint(self.name, self.target, GROUP).load()
        except (Exception, SystemExit) as error:  # foreign code may raise anything
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise self._broken(reason) from error
        reason = _fault(loaded, self.name)
        if reason:
            raise self._broken(reason)
        kind: type[Modality] = loaded
        return kind

    def _broken(self, reason: str) -> RegistryError:
        return RegistryError(f"modality {self.name!r} ({self}) cannot be used: {reason}")


def _fault(loaded: Any, name: str) -> str:
    """Why an imported object is not the modality of this name; empty if it is."""
    from inrc.signal import CONTRACT, Modality

    if not (isinstance(loaded, type) and issubclass(loaded, Modality)):
        return "it is not a Modality"
    contract: Any = loaded.contract
    if type(contract) is not int or contract < 1:
        return f"its contract is {contract!r}, not a version from 1 to {CONTRACT}"
    if contract > CONTRACT:  # first of all: what a newer contract requires is not known here
        return f"it is written for contract {contract} and this inrc has {CONTRACT}; update inrc"
    if inspect.isabstract(loaded):
        return f"it lacks {', '.join(sorted(loaded.__abstractmethods__))}"
    if getattr(loaded, "name", None) != name:
        return f"its name is {getattr(loaded, 'name', None)!r}"
    suffixes, unit = getattr(loaded, "suffixes", None), getattr(loaded, "unit", None)
    if not (isinstance(suffixes, tuple) and suffixes and all(type(s) is str for s in suffixes)):
        return f"its suffixes are {suffixes!r}, not a tuple like ('.png',)"
    return "" if isinstance(unit, str) and unit else f"its unit is {unit!r}, not a word"


def installed() -> list[Plugin]:
    """All plugins, sorted by name; nothing is imported, and a name may occur twice.

    Raises:
        RegistryError: the entry points of a distribution cannot be read; the message names it.
            Python then finds no entry points at all, and torch does not start either.
    """
    return list(
        _declared(tuple((os.path.abspath(folder), _changed(folder)) for folder in sys.path))
    )


def _changed(folder: str) -> int:
    """When a folder of Python's path was changed, such as by an installation."""
    with suppress(OSError):
        return os.stat(folder or os.curdir).st_mtime_ns
    return 0


@lru_cache(1)  # looking for entry points takes 30 ms, and every archive asks for a modality
def _declared(path: tuple[tuple[str, int], ...]) -> tuple[Plugin, ...]:
    """The plugins of a path, which is looked through again when one of its folders has changed."""
    try:
        entries = entry_points(group=GROUP)
    except Exception as error:
        raise RegistryError(f"{_unreadable()}; reinstall or uninstall it") from error
    return tuple(sorted({_plugin(entry) for entry in entries}))


def _plugin(entry: Any) -> Plugin:  # an EntryPoint, or one of the backport where it is in use
    name, version = _owner(entry.dist)
    return Plugin(entry.name, entry.value, name, version)


def _owner(distribution: Any) -> tuple[str, str]:
    """Name and version, as far as the metadata have them.

    The backport `importlib_metadata`, where it is installed, has a Distribution of its own.
    """
    facts: Mapping[str, str] = {}
    if distribution is not None:
        with suppress(Exception):  # a folder without metadata, in some versions of Python
            facts = {key: distribution.metadata[key] for key in ("Name", "Version")}
    return facts.get("Name") or "an unknown distribution", facts.get("Version") or ""


def _unreadable() -> str:
    for distribution in distributions():
        try:
            _ = distribution.entry_points
        except Exception as error:
            reason = f"{type(error).__name__}: {one_line(error)}"
            name = " ".join(_owner(distribution)).strip()
            return f"the entry points of {name} cannot be read ({reason})"
    return "the entry points of an installed distribution cannot be read"


def names() -> list[str]:
    """The names of all plugins, each once, sorted."""
    return sorted({plugin.name for plugin in installed()})


def find(name: str) -> "type[Modality]":
    """Import the modality of this name, and no other.

    Raises:
        RegistryError: the name is unknown, two distributions declare it, or the modality is broken.
    """
    plugins = [plugin for plugin in installed() if plugin.name == name]
    if not plugins:
        known = ", ".join(names()) or "none"
        raise RegistryError(f"unknown modality {name!r}; choose one of: {known}")
    if len(plugins) > 1:
        both = " and by ".join(str(plugin) for plugin in plugins)
        raise RegistryError(f"modality {name!r} is declared by {both}; uninstall one of them")
    return plugins[0].load()
