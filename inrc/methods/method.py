"""The interface of a method: plain settings that build a network."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from inrc.errors import ModelError
from inrc.methods.network import Network, Observer


@dataclass
class Method(ABC):
    """A row of the table. Its fields are its settings, plain values all."""

    name: ClassVar[str]

    @abstractmethod
    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """Make the three parts."""

    def settings(self) -> dict[str, Any]:
        """Arguments that make an equal method."""
        return asdict(self)

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
