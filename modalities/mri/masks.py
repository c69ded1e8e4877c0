"""Masks of voxels that are NaN or infinite, in few bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.mri import squeeze

_KINDS = np.array([0.0, np.nan, np.inf, -np.inf])


def unknown(values: NDArray[Any]) -> NDArray[np.uint8] | None:
    """0 where a value is known, else 1 for NaN, 2 and 3 for an infinity; None if all are known."""
    if values.dtype.kind != "f":
        return None
    finite = np.isfinite(values)
    if finite.all():
        return None
    kinds = (~finite).astype(np.uint8)
    kinds[values == np.inf] = 2
    kinds[values == -np.inf] = 3
    return kinds


def values(kinds: NDArray[np.uint8]) -> NDArray[np.float64]:
    """NaN and infinities by their kinds."""
    return _KINDS[kinds]


def pack(kinds: NDArray[np.uint8]) -> list[bytes]:
    """A mask T X Y Z in one or two byte strings: where, and (if not all are NaN) of which kind.

    A plane is stored as what differs from the one before it, since masks are solid bodies.
    """
    planes = (kinds > 0).reshape(-1, kinds.shape[2] * kinds.shape[3])
    change = planes.copy()
    change[1:] ^= planes[:-1]
    where = squeeze.compress(np.packbits(change).tobytes())
    listed = kinds[kinds > 0]
    return [where] if (listed == 1).all() else [where, squeeze.compress(listed.tobytes())]


def check(stored: Any) -> None:
    """Refuse what `pack` cannot have made, without unpacking it.

    Raises:
        SignalError: it is no mask.
    """
    if stored is None:
        return
    if (
        not isinstance(stored, list)
        or not 1 <= len(stored) <= 2
        or not all(isinstance(each, bytes) for each in stored)
    ):
        raise SignalError("mri: invalid mask of unknown voxels; the file is damaged")


def unpack(stored: list[bytes], shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The mask T X Y Z that was packed.

    Raises:
        SignalError: damaged bytes, or those of another shape.
    """
    count = int(np.prod(shape))
    bits = np.frombuffer(squeeze.decompress(stored[0], -(-count // 8)), np.uint8)
    change = np.unpackbits(bits, count=count).reshape(-1, shape[2] * shape[3])
    kinds = np.bitwise_xor.accumulate(change, axis=0).reshape(shape)
    if len(stored) == 2:
        unknown = kinds > 0
        listed = np.frombuffer(squeeze.decompress(stored[1], int(unknown.sum())), np.uint8)
        if listed.size and not (1 <= listed.min() and listed.max() <= 3):
            raise SignalError("mri: invalid mask of unknown voxels; the file is damaged")
        kinds[unknown] = listed
    return kinds
