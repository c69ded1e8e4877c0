"""Masks of missing values: which stored number marks each, and what a field learns there.

A code is 0 where a value is known, and k where the k-th kind of missing value is stored.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from inrc.errors import SignalError
from inrc_modalities.era5.packing import squeeze, unsqueeze

_MAX_KINDS = 255  # of missing values, which a byte tells apart


def encode(
    stored: NDArray[Any], unknown: NDArray[np.bool_], where: str
) -> tuple[list[bytes], NDArray[np.uint8]]:
    """The kinds of missing values, bit by bit, and a code for every value.

    Raises:
        SignalError: more kinds than a byte can tell apart.
    """
    bits = stored.view(f"u{stored.dtype.itemsize}")
    kinds, number = np.unique(bits[unknown], return_inverse=True)
    if len(kinds) > _MAX_KINDS:
        raise SignalError(f"{where}: {len(kinds)} different missing values; {_MAX_KINDS} at most")
    codes = np.zeros(stored.shape, np.uint8)
    codes[unknown] = number + 1
    return [each.astype(each.dtype.newbyteorder("<")).tobytes() for each in kinds], codes


def merge(
    stored: NDArray[Any], outside: NDArray[np.bool_], unknown: NDArray[np.bool_]
) -> tuple[NDArray[Any], int]:
    """Give all numbers outside the valid range the most frequent of them, if they are too many.

    Args:
        stored: numbers as they are stored.
        outside: where they lie outside the valid range, and mark nothing else.
        unknown: where values are missing, those outside included.

    Returns:
        The stored numbers, and how many have changed.
    """
    bits = stored.view(f"u{stored.dtype.itemsize}")
    if not outside.any() or len(np.unique(bits[unknown])) <= _MAX_KINDS:
        return stored, 0
    kinds, counts = np.unique(bits[outside], return_counts=True)
    merged = bits.copy()
    merged[outside] = kinds[counts.argmax()]
    return merged.view(stored.dtype), int(counts.sum() - counts.max())


def restore(stored: NDArray[Any], kinds: list[bytes], codes: NDArray[np.uint8]) -> NDArray[Any]:
    """Put the missing values back, bit by bit."""
    bits = stored.copy().view(f"u{stored.dtype.itemsize}")
    for number, kind in enumerate(kinds, start=1):
        bits[codes == number] = np.frombuffer(kind, bits.dtype.newbyteorder("<"))[0]
    return bits.view(stored.dtype)


def pack(kinds: list[bytes], codes: NDArray[np.uint8]) -> dict[str, Any]:
    """Codes P L M as a plain value; one row where all parts, or all levels, have the same."""
    parts = bool((codes == codes[:1]).all())
    levels = bool((codes == codes[:, :1]).all())
    rows = codes[: 1 if parts else None, : 1 if levels else None]
    rows = np.concatenate([rows[:1], rows[1:] ^ rows[:-1]])  # what changes from part to part
    raw = np.packbits(rows.astype(bool)) if len(kinds) == 1 else rows
    return {
        "kinds": kinds,
        "shared": [parts, levels],
        "rows": squeeze(raw.tobytes()),
    }


def unpack(
    plain: Mapping[str, Any], shape: tuple[int, int, int], itemsize: int
) -> tuple[list[bytes], NDArray[np.uint8]]:
    """The kinds and the codes #P #L M that `pack` was given.

    Raises:
        ValueError: damaged, or of another shape.
    """
    kinds, (parts, levels) = list(plain["kinds"]), plain["shared"]
    if not 1 <= len(kinds) <= _MAX_KINDS or any(len(kind) != itemsize for kind in kinds):
        raise ValueError("missing values of another type")
    size = (1 if parts else shape[0], 1 if levels else shape[1], shape[2])
    count = size[0] * size[1] * size[2]
    if len(kinds) == 1:
        raw = np.frombuffer(unsqueeze(plain["rows"], -(-count // 8)), np.uint8)
        rows = np.unpackbits(raw, count=count)
    else:
        rows = np.frombuffer(unsqueeze(plain["rows"], count), np.uint8)
    return kinds, np.bitwise_xor.accumulate(rows.reshape(size), axis=0)


def fill(
    values: NDArray[np.float64], unknown: NDArray[np.bool_], wraps: bool, middle: float
) -> NDArray[np.float64]:
    """Values ... H W with the nearest known one (in grid steps) where one is missing.

    `wraps`: the last column is beside the first. A grid without any known value gets `middle`.
    """
    if not unknown.any():
        return values
    filled = values.copy()
    index: NDArray[np.intp] = np.empty((2, 0, 0), np.intp)
    last: NDArray[np.bool_] | None = None
    for place in np.ndindex(*values.shape[:-2]):
        mask = unknown[place]
        if mask.all():
            filled[place] = middle
        elif mask.any():
            if last is None or not np.array_equal(mask, last):
                index, last = _nearest(mask, wraps), mask
            filled[place] = values[place][index[0], index[1]]
    return filled


def _nearest(mask: NDArray[np.bool_], wraps: bool) -> NDArray[np.intp]:
    """Row and column of the nearest known point, 2 H W."""
    width = mask.shape[1]
    pad = width // 2 if wraps else 0
    wide = np.pad(mask, ((0, 0), (pad, pad)), mode="wrap")
    index = distance_transform_edt(wide, return_distances=False, return_indices=True)
    index = np.asarray(index, np.intp)[:, :, pad : pad + width]
    index[1] = (index[1] - pad) % width
    return index
