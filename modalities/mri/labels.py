"""Label volumes (segmentations, atlases, masks), which come back exactly.

A value between two labels is another label or none at all: a field, which is right on average
only, cannot hold them. They are stored losslessly: a table of the labels, and for every voxel its
place in the table, less that of the voxel one plane before.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.mri import squeeze
from inrc_modalities.mri.header import Header

INTENT = 1002
"""NIFTI_INTENT_LABEL (nifti1.h): the value at a voxel is an index into some set of labels."""
MAX_LABELS = 256
"""Of a volume that does not state this intent; atlases of the brain have up to about 200."""
MIN_EQUAL = 0.4
"""Share of equal neighbours along the longest axis, where the commonest value (the background) is
left out. Scans of 8 bits have below 0.1, or 0.23 if they are blurred by a deviation of 4 voxels;
classes of tissue cut from the same scans have 0.6 to 0.8, regions of an atlas 0.9."""
_MAX_INTENT_LABELS = 1 << 16
_PROBE = 1 << 14  # voxels that are looked at first


def are_labels(header: Header, stored: NDArray[Any]) -> bool:
    """Whether voxels T X Y Z are labels: by intent, or as few whole numbers in regions."""
    intent = int(header.fields["intent_code"]) == INTENT
    limit = _MAX_INTENT_LABELS if intent else MAX_LABELS
    some = stored.reshape(-1)[:: max(1, stored.size // _PROBE)]
    if not (_whole(some) and len(np.unique(some)) <= limit and _whole(stored)):
        return False
    values, counts = np.unique(stored, return_counts=True)
    if len(values) > limit:
        return False
    if intent or len(values) <= 2:
        return True
    along = np.moveaxis(stored, int(np.argmax(stored.shape[1:])) + 1, 0)
    inside = along != values[counts.argmax()]
    pairs = inside[1:] & inside[:-1]
    equal = (along[1:] == along[:-1]) & pairs
    return bool(equal.sum() >= MIN_EQUAL * max(int(pairs.sum()), 1))


def _whole(values: NDArray[Any]) -> bool:
    """Whether all values are integers, or floats that are whole numbers of up to 24 bits."""
    if values.dtype.kind in "iu":
        return True
    return bool((np.abs(values) <= 1 << 24).all() and (values == np.floor(values)).all())


def pack(stored: NDArray[Any]) -> list[bytes]:
    """Labels T X Y Z as two byte strings: the table, and the packed places in it."""
    values, places = np.unique(stored, return_inverse=True)
    kind = _places(len(values))
    planes = np.moveaxis(places.reshape(stored.shape), -1, 1)
    steps = np.diff(planes, axis=1, prepend=0).astype(kind)  # modulo the range of the type
    table = values.astype(stored.dtype.newbyteorder("<")).tobytes()
    return [table, squeeze.compress(np.ascontiguousarray(steps).tobytes())]


def check(stored: Any, dtype: np.dtype[Any]) -> None:
    """Refuse what `pack` cannot have made, without unpacking it.

    Raises:
        SignalError: not the labels of a volume of this type.
    """
    if stored is not None and not (
        isinstance(stored, list)
        and len(stored) == 2
        and all(isinstance(each, bytes) for each in stored)
        and len(stored[0]) % dtype.itemsize == 0
        and 1 <= len(stored[0]) // dtype.itemsize <= _MAX_INTENT_LABELS
    ):
        raise SignalError("mri: invalid labels; the file is damaged")


def unpack(
    stored: list[bytes], shape: tuple[int, int, int, int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The labels T X Y Z that were packed.

    Raises:
        SignalError: damaged bytes, or those of another shape.
    """
    values = np.frombuffer(stored[0], dtype.newbyteorder("<"))
    kind = _places(len(values))
    t, x, y, z = shape
    raw = squeeze.decompress(stored[1], t * x * y * z * kind.itemsize)
    places = np.frombuffer(raw, kind).reshape(t, z, x, y).cumsum(axis=1, dtype=kind)
    if places.max() >= len(values):
        raise SignalError("mri: invalid labels; the file is damaged")
    return np.moveaxis(values[places], 1, -1)


def _places(count: int) -> np.dtype[Any]:
    """The type of a place in a table of so many labels."""
    return np.dtype("u1" if count <= 256 else "<u2")
