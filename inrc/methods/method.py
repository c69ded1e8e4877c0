"""The interface of a method: plain settings that build a network."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from inspect import isabstract
from typing import Any, ClassVar

from inrc.errors import ModelError, UsageError
from inrc.methods.network import Network, Observer


@dataclass
class Method(ABC):
    """A method: plain settings that build a network."""

    name: ClassVar[str]
    learns: ClassVar[bool] = True
    """Whether the method is trained. If not, a file holds all that decoding needs."""

    @abstractmethod
    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """Build field, adapter and bottlenecks."""

    def settings(self) -> dict[str, Any]:
        """Arguments of an equal method."""
        return asdict(self)

    def decoding(self) -> dict[str, Any]:
        """The settings that a decoder needs."""
        return self.settings()

    def sized(self, layers: int, width: int) -> "Method":
        """The same method with networks of another size.

        Raises UsageError if the method has no size to choose.
        """
        raise UsageError(f"method {self.name}: has no size to choose")

    def rated(self, bits: float, quality: int | None, point_dim: int, value_dim: int) -> "Method":
        """The same method with networks that take about `bits` each at this quality level.

        Raises UsageError if the method has no size to choose.
        """
        raise UsageError(f"method {self.name}: has no size to choose for a rate")

    @classmethod
    def known(cls) -> "dict[str, type[Method]]":
        """All methods that are imported, by their names."""
        known = {} if isabstract(cls) else {cls.name: cls}
        for each in cls.__subclasses__():
            known = each.known() | known  # a name that is inherited stays that of the base
        return known

    @classmethod
    def untrained(cls, name: str) -> "Method":
        """A method that needs no model, by its name, with default settings.

        Raises UsageError if the method is unknown or needs training.
        """
        known = Method.known()
        ready = {each: method for each, method in known.items() if not method.learns}
        if name in ready:
            return ready[name]()
        reason = "needs training; use inrc fit" if name in known else "is unknown"
        others = ", ".join(sorted(ready))
        raise UsageError(f"method {name!r} {reason}; methods without a model: {others}")

    @classmethod
    def kind(cls, name: str) -> "type[Method]":
        """The class of a method. Raises ModelError if the name is unknown."""
        methods = Method.known()
        if name not in methods:
            raise ModelError(f"unknown method {name!r}; use one of {', '.join(sorted(methods))}")
        return methods[name]
