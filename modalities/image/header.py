"""The meta of an image in an archive, which may be damaged or hostile."""

from collections.abc import Mapping
from typing import Any

import PIL.Image

from inrc.errors import SignalError
from inrc_modalities.image.colour import CHUNKS, MAX_PROFILE_BYTES
from inrc_modalities.image.pixels import MODES


def shape(meta: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width, after checking all entries of the meta.

    Raises:
        SignalError: an impossible meta, or more pixels than Pillow would open.
    """
    size = meta.get("shape")
    if (
        not isinstance(size, list | tuple)
        or len(size) != 2
        or not all(type(n) is int and n > 0 for n in size)
        or meta.get("mode") not in list(MODES)  # a list: the mode may be unhashable
        or meta.get("depth") not in (8, 16)
        or (meta["mode"] == "1" and meta["depth"] != 8)
        or not _are_colours(meta.get("icc"), meta.get("colour", {}))
    ):
        raise SignalError(f"image: impossible header ({dict(meta)!r:.80}); get the file again")
    height, width = size
    check_size(height, width)
    return height, width


def check_size(height: int, width: int) -> None:
    """Raise SignalError for more pixels than Pillow would open."""
    limit = PIL.Image.MAX_IMAGE_PIXELS
    if limit is not None and height * width > limit:
        raise SignalError(
            f"image: {height} by {width} pixels, the limit is {limit}; give a smaller scale"
        )


def _are_colours(icc: object, colour: object) -> bool:
    """Whether both are what `Image.read` puts into a meta."""
    return (icc is None or (isinstance(icc, bytes) and len(icc) <= MAX_PROFILE_BYTES)) and (
        isinstance(colour, Mapping)
        and all(isinstance(c, bytes) and CHUNKS.get(n) == len(c) for n, c in colour.items())
    )
