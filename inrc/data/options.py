"""Options of a DataModule that are numbers in a range."""

from dataclasses import field
from typing import TypeVar

from inrc.errors import UsageError

T = TypeVar("T")


def option(default: T, *, least: int, below: int | None = None) -> T:
    """A field of a DataModule, a number in a range; None is in every range."""
    return field(default=default, metadata={"least": least, "below": below})


def check_ranges(data: object) -> None:
    """Raise UsageError if a field is out of the range in which it, or the one of a base, was made.

    A subclass that declares the field again to change its default therefore keeps its range.
    """
    for kind in type(data).__mro__:
        for each in vars(kind).get("__dataclass_fields__", {}).values():
            least, below = each.metadata.get("least"), each.metadata.get("below")
            number = getattr(data, each.name, None)
            if number is None or least is None:
                continue
            if number < least or (below is not None and number >= below):
                limit = "" if below is None else f", below {below}"
                raise UsageError(f"data.{each.name}: {number}; give {least} or more{limit}")
