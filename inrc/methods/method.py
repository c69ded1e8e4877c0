"""The interface of a method: plain settings that build a network."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from inrc.errors import ModelError, UsageError
from inrc.methods.network import Network, Observer


@dataclass
class Method(ABC):
    """A row of the table. Its fields are its settings, plain values all."""

    name: ClassVar[str]
    learns: ClassVar[bool] = True
    """Whether there is anything to train; where not, a file can say all that decoding needs."""

    @abstractmethod
    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """Make the three parts."""

    def settings(self) -> dict[str, Any]:
        """Arguments that make an equal method."""
        return asdict(self)

    def decoding(self) -> dict[str, Any]:
        """The settings that a decoder needs; the others may be as they are by default."""
        return self.settings()

    def sized(self, layers: int, width: int) -> "Method":
        """The same with networks of another size. Raises UsageError if it has no such thing."""
        raise UsageError(f"method {self.name}: has no size to choose")

    def rated(self, bits: float, quality: int | None, point_dim: int, value_dim: int) -> "Method":
        """The same with networks that take about so many bits each at this quality level.

        Raises UsageError if it has no such thing.
        """
        raise UsageError(f"method {self.name}: has no size to choose for a rate")

    @classmethod
    def untrained(cls, name: str) -> "Method":
        """A method by its name that needs no model, with its default settings.

        Raises UsageError if it is unknown, or has to be trained.
        """
        ready = {method.name: method for method in Method.__subclasses__() if not method.learns}
        if name in ready:
            return ready[name]()
        known = {method.name for method in Method.__subclasses__()}
        reason = "has to be trained: inrc fit" if name in known else "is unknown"
        raise UsageError(f"method {name!r} {reason}; without a model: {', '.join(sorted(ready))}")

    @classmethod
    def named(cls, name: str, settings: dict[str, Any]) -> "Method":
        """The method of a model's card. Raises ModelError if it is unknown."""
        found = {method.name: method for method in Method.__subclasses__()}
        if name not in found:
            raise ModelError(f"unknown method {name!r}; known: {', '.join(sorted(found))}")
        try:
            return found[name](**settings)
        except TypeError as error:
            raise ModelError(f"method {name}: {error}") from error
