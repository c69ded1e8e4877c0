"""Regular grids of any rank: coordinates, patches, and views of them at any size and region."""

from inrc.grid.patches import coordinates, counts, crop, join, padded, split
from inrc.grid.window import Axis, Run, assemble, axis, parts, queries

__all__ = [
    "Axis", "Run", "assemble", "axis", "coordinates", "counts", "crop", "join", "padded", "parts",
    "queries", "split",
]  # fmt: skip
