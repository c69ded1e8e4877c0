"""What of one file does not come back."""

from pathlib import Path

import numpy as np

from inrc_modalities.mri import labels
from inrc_modalities.mri.reading import load
from inrc_modalities.mri.scaling import ends


def losses(path: Path, percentile: float) -> list[str]:
    """Short phrases of what a file loses beside the precision of its voxels.

    Raises:
        SignalError: a file that cannot be read.
    """
    file = load(path)
    phrases = []
    if not labels.are_labels(file.header, file.series()):
        low, high = ends(file.stored, percentile, path)
        finite = file.stored[np.isfinite(file.stored)]
        if clipped := int(((finite < low) | (finite > high)).sum()):
            phrases.append(f"{clipped} voxels beyond the {percentile:g}th percentile (clipped)")
    if file.tail:
        phrases.append(f"{file.tail} bytes after the last voxel")
    return phrases
