"""Numbers to NIfTI files, by suffix packed or not."""

import gzip
from pathlib import Path

import nibabel
import numpy as np

from inrc.errors import SignalError
from inrc.files import atomic_write
from inrc_modalities.mri.reading import Volume

PACKED, PLAIN = (".nii.gz", ".gz"), (".nii",)
_LEVEL = 6  # of gzip: as most programs that write .nii.gz
_PIECE = 1 << 24


def save(volume: Volume, path: Path) -> None:
    """Write a file; complete, or not at all.

    Raises:
        SignalError: an unknown suffix, or a failing disk.
    """
    _write(volume.header.start, volume.stored.reshape(-1, order="F").view(np.uint8).data, path)


def save_image(image: nibabel.Nifti1Image, path: Path) -> None:
    """Write an image of nibabel; complete, or not at all."""
    _write(image.to_bytes(), memoryview(b""), path)


def _write(head: bytes, voxels: memoryview, path: Path) -> None:
    name = path.name.lower()
    if not name.endswith(PACKED + PLAIN):
        raise SignalError(f"{path}: cannot write this kind of file; use .nii or .nii.gz")
    try:
        with atomic_write(path, overwrite=True) as part, part.open("wb") as raw:
            if name.endswith(PACKED):
                # no name and no time: the same volume gives the same bytes
                with gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as file:
                    file.write(head)
                    for at in range(0, len(voxels), _PIECE):
                        file.write(voxels[at : at + _PIECE])
            else:
                raw.write(head)
                raw.write(voxels)
    except OSError as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None
