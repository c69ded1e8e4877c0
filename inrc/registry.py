"""Plugins by name: the entry points of a group, imported when asked for.

`modalities` and `methods` are the two groups. Listing names imports nothing of a plugin.
"""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from inrc.errors import RegistryError, one_line

if TYPE_CHECKING:
    from inrc.methods import Method
    from inrc.signal import Modality

T = TypeVar("T")
SearchPath = tuple[tuple[str, int], ...]
"""Folders of Python's path, and when each was changed."""


@dataclass(frozen=True, order=True)
class Plugin:
    """A class that a distribution declares; nothing of it is imported yet."""

    name: str
    target: str
    """`module:class`."""
    distribution: str
    version: str

    def __str__(self) -> str:
        """For messages: the class, and the distribution to update or uninstall."""
        return f"{self.target} of {self.distribution} {self.version}".strip()

    def load(self, group: str) -> Any:
        """Import what the entry point names.

        Raises:
            ImportError: that is not of the form module:class, or the import fails in any way.
        """
        module, _, attribute = self.target.partition(":")
        if not all(word.isidentifier() for word in [*module.split("."), *attribute.split(".")]):
            raise ImportError("its entry point is not of the form module:class")
        try:
            with redirect_stdout(sys.stderr):  # stdout is for results only
                return EntryPoint(self.name, self.target, group).load()
        except (Exception, SystemExit) as error:  # foreign code may raise anything
            raise ImportError(f"{type(error).__name__}: {one_line(error)}") from error


@dataclass(frozen=True)
class Registry(Generic[T]):
    """The plugins of one group.

    Args:
        group: group of their entry points.
        word: what one of them is called in messages.
        fault: why an imported object is not the plugin of a name; empty if it is.
    """

    group: str
    word: str
    fault: Callable[[Any, str], str]

    def installed(self) -> list[Plugin]:
        """All plugins, sorted by name; nothing is imported, and a name may occur twice.

        Raises:
            RegistryError: the entry points of a distribution cannot be read; the message names it.
                Python then finds no entry points at all, and torch does not start either.
        """
        path = tuple((os.path.abspath(folder), _changed(folder)) for folder in sys.path)
        return list(_declared(self.group, path))

    def names(self) -> list[str]:
        """The names of all plugins, each once, sorted."""
        return sorted({plugin.name for plugin in self.installed()})

    def plugin(self, name: str) -> Plugin:
        """The plugin of this name; nothing is imported.

        Raises:
            RegistryError: the name is unknown, or two distributions declare it.
        """
        plugins = [plugin for plugin in self.installed() if plugin.name == name]
        if not plugins:
            known = ", ".join(self.names()) or "none"
            raise RegistryError(f"unknown {self.word} {name!r}; choose one of: {known}")
        if len(plugins) > 1:
            both = " and by ".join(str(plugin) for plugin in plugins)
            raise RegistryError(
                f"{self.word} {name!r} is declared by {both}; uninstall one of them"
            )
        return plugins[0]

    def find(self, name: str) -> type[T]:
        """Import the plugin of this name, and no other.

        Raises:
            RegistryError: the name is unknown, two distributions declare it, or the plugin is
                broken: its import fails, or it is not a complete class of its kind, has another
                name, or is written for a newer contract than this inrc's.
        """
        plugin = self.plugin(name)
        try:
            loaded = plugin.load(self.group)
            reason = self.fault(loaded, name)
        except ImportError as error:
            raise self._broken(plugin, str(error)) from error
        if reason:
            raise self._broken(plugin, reason)
        kind: type[T] = loaded
        return kind

    def check_installed(self, kind: type[T]) -> None:
        """Check that `find` gives this class for its name, as a reader of a model file needs.

        Raises:
            RegistryError: another class has the name, or none.
        """
        name = getattr(kind, "name", None)
        if name not in self.names() or self.find(name) is not kind:
            raise RegistryError(
                f"{self.word} {kind.__module__}.{kind.__qualname__}: is not installed as {name!r}, "
                f"and a codec could not be loaded again; give it a name of its own, and declare "
                f"it as an entry point of {self.group}"
            )

    def _broken(self, plugin: Plugin, reason: str) -> RegistryError:
        return RegistryError(f"{self.word} {plugin.name!r} ({plugin}) cannot be used: {reason}")


def _fault(loaded: Any, name: str, base: type, contract: int) -> str:
    """Why an object is not the plugin of a name: what all kinds of plugins have in common.

    Args:
        loaded: what was imported.
        name: name of its entry point.
        base: class that it derives from.
        contract: newest version of the contract of that class.
    """
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        return f"it is not a {base.__name__}"
    own: Any = getattr(loaded, "contract", None)
    if type(own) is not int or own < 1:
        return f"its contract is {own!r}, not a version from 1 to {contract}"
    if own > contract:  # first of all: what a newer contract requires is not known here
        return f"it is written for contract {own} and this inrc has {contract}; update inrc"
    lacking = sorted(getattr(loaded, "__abstractmethods__", ()))
    if lacking:
        return f"it lacks {', '.join(lacking)}"
    own_name = getattr(loaded, "name", None)
    return "" if own_name == name else f"its name is {own_name!r}"


def _modality_fault(loaded: Any, name: str) -> str:
    from inrc.signal import CONTRACT, Modality

    reason = _fault(loaded, name, Modality, CONTRACT)
    if reason:
        return reason
    suffixes, unit = getattr(loaded, "suffixes", None), getattr(loaded, "unit", None)
    if not (isinstance(suffixes, tuple) and suffixes and all(type(s) is str for s in suffixes)):
        return f"its suffixes are {suffixes!r}, not a tuple like ('.png',)"
    return "" if isinstance(unit, str) and unit else f"its unit is {unit!r}, not a word"


def _method_fault(loaded: Any, name: str) -> str:
    from inrc.methods import CONTRACT, Method

    return _fault(loaded, name, Method, CONTRACT)


modalities: "Registry[Modality]" = Registry("inrc.modalities", "modality", _modality_fault)
"""The kinds of files."""
methods: "Registry[Method]" = Registry("inrc.methods", "method", _method_fault)
"""The kinds of networks, and how they are trained."""


def _changed(folder: str) -> int:
    """When a folder of Python's path was changed, such as by an installation."""
    with suppress(OSError):
        return os.stat(folder or os.curdir).st_mtime_ns
    return 0


@lru_cache(2)
def _declared(group: str, path: SearchPath) -> tuple[Plugin, ...]:
    return tuple(sorted({_plugin(entry) for entry in _entries(path).select(group=group)}))


@lru_cache(1)  # looking for entry points takes 30 ms, and every archive asks for two plugins
def _entries(path: SearchPath) -> Any:
    """All entry points of a path, looked for again when one of its folders has changed."""
    try:
        return entry_points()
    except Exception as error:
        raise RegistryError(f"{_unreadable()}; reinstall or uninstall it") from error


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
