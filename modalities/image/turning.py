"""EXIF orientation: pixels the way round that a viewer shows them."""

import numpy as np
from numpy.typing import NDArray

from inrc_modalities.image.pixels import Level

ORIENTATION = 0x0112
"""The tag of TIFF and EXIF 2.3."""
# orientation: (transpose first, then flip rows, then flip columns)
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def turned(array: NDArray[Level], orientation: int) -> NDArray[Level]:
    """Pixels H W c turned as an orientation of 1 to 8 says; anything else turns nothing."""
    transpose, rows, columns = _TURNS.get(orientation, (False, False, False))
    array = array.swapaxes(0, 1) if transpose else array
    array = array[::-1] if rows else array
    return np.ascontiguousarray(array[:, ::-1] if columns else array)
