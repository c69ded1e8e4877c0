"""What a file's meta declares, checked before anything is allocated."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from inrc.errors import SignalError
from inrc_modalities.mri import labels, masks
from inrc_modalities.mri.header import Header

MAX_HEADER = 4096
"""Bytes of a header and the frame of an archive, without extensions."""


def check(meta: Mapping[str, Any]) -> tuple[Header, tuple[float, float]]:
    """The header, and the stored values of the features 0 and 1.

    Raises:
        SignalError: a meta that no volume can have.
    """
    header = Header.of(meta)
    ends = meta.get("range")
    if (
        not isinstance(ends, list | tuple)
        or len(ends) != 2
        or not all(type(n) in (int, float) and math.isfinite(n) for n in ends)
        or not ends[0] <= ends[1]
    ):
        raise SignalError("mri: invalid range of values; the file is damaged")
    if header.dtype.kind in "iu":
        limits = np.iinfo(header.dtype)
        if not limits.min <= ends[0] <= ends[1] <= limits.max:
            raise SignalError("mri: a range that the data type cannot hold; the file is damaged")
    if "unknown" not in meta or "labels" not in meta:
        raise SignalError("mri: no entry for unknown voxels or labels; the file is damaged")
    masks.check(meta["unknown"])
    labels.check(meta["labels"], header.dtype)
    if meta["unknown"] is not None and header.dtype.kind != "f":
        raise SignalError("mri: unknown voxels among whole numbers; the file is damaged")
    return header, (ends[0], ends[1])
