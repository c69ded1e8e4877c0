"""The interface of a method: plain settings that build a network."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from inrc.errors import UsageError
from inrc.methods.network import Network, Observer

CONTRACT = 1
"""Version of this interface; a plugin states the one that it was written for."""


@dataclass
class Method(ABC):
    """A method: plain settings that build a network."""

    name: ClassVar[str]
    """The name of its entry point, by which a model file asks for it."""
    contract: ClassVar[int] = CONTRACT
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
