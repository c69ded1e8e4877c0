"""The names of an archive's items: relative paths with `/` between their steps."""

from collections.abc import Sequence
from itertools import pairwise

MAX_NAME = 4096  # characters; PATH_MAX on Linux


def name_fault(name: str) -> str | None:
    """Why an item cannot have this name; None if it can. The empty name is that of a sole item."""
    if len(name) > MAX_NAME:
        return f"has more than {MAX_NAME} characters"
    if "\0" in name:
        return "has a null character"
    if "\\" in name:
        return "has a backslash, which separates folders on other systems"
    if name and not {"", ".", ".."}.isdisjoint(name.split("/")):
        return "leads out of its folder"  # absolute paths begin with an empty step
    return None


def names_fault(names: Sequence[str]) -> str | None:
    """Why an archive cannot have items of these names together; None if it can."""
    # "/" as the lowest character: the items of a folder follow right behind its name
    keys = sorted(name.replace("/", "\0") for name in names)
    for one, two in pairwise(keys):
        if one == two:
            return f"two items of the name {one[:80]!r}".replace("\\x00", "/")
        if one and two.startswith(f"{one}\0"):
            return f"{one[:80]!r} as a file and as a folder".replace("\\x00", "/")
    return None
