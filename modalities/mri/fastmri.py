"""The fastMRI data set as training data."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import h5py
import nibabel
import numpy as np

from inrc.data import NamedDataSet
from inrc.errors import SignalError, UsageError, one_line
from inrc_modalities.mri.data import MRIDataModule
from inrc_modalities.mri.writing import save_image

KEYS = ("reconstruction_rss", "reconstruction_esc")
_MAX_XML = 1 << 22  # bytes; those of fastMRI have some 10 kB
_MAX_VOXELS = 1 << 28  # of a volume; the largest have some 10 million


@dataclass(kw_only=True, eq=False)
class FastMRI(NamedDataSet, MRIDataModule):
    """Volumes of fastMRI: the reconstructions in its .h5 files, written once as NIfTI files.

    fastMRI (J. Zbontar et al., arXiv:1811.08839; NYU Langone Health) may be used and not passed on;
    it must be asked for at https://fastmri.med.nyu.edu and is never downloaded here. Put the .h5
    files, such as those of `multicoil_val`, into `root`; any depth of folders will do. COIN++
    trained on brain volumes of that split in cubes of 16 voxels, which is the default here.

    An array of slices, rows and columns becomes a volume of x (columns), y (rows, upwards) and z,
    in float32, with the voxel sizes that the file's own header states. Codecs are judged on files,
    and users have NIfTI files: so the .h5 files are translated, not read by the modality.

    Args:
        root: folder of .h5 files.
        nifti: folder for the NIfTI files; None takes `nifti` in `root`.
        key: the reconstruction to take, `reconstruction_rss` (multi-coil) or `reconstruction_esc`.

    Raises:
        UsageError: another key, or an option out of range.
        SignalError: no files, or one that cannot be translated.
    """

    source: ClassVar[str] = "https://fastmri.med.nyu.edu"

    root: Path = field(kw_only=False)
    val_root: Path | None = None
    val_fraction: float = 0.2
    nifti: Path | None = None
    key: str = KEYS[0]
    patch: int = 16
    spacing: float | None = None
    random_patches: int = 512

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        if self.key not in KEYS:
            raise UsageError(f"data.key: {self.key!r}; give one of {', '.join(KEYS)}")

    def files(self) -> tuple[list[Path], list[Path]]:
        """NIfTI files to train on and to validate on, which are written unless they are there."""
        folder = self.nifti or self.root / "nifti"
        paths = translate(self.root, folder / "train", self.key)
        if self.val_root is None:
            return self.hold_out(paths)
        return paths, translate(self.val_root, folder / "val", self.key)


def translate(root: Path, folder: Path, key: str) -> list[Path]:
    """Write a NIfTI file for every .h5 file below a folder, unless it is there.

    Raises:
        SignalError: no .h5 files, or one that is not a volume of fastMRI.
    """
    sources = sorted(root.rglob("*.h5")) if root.is_dir() else []
    if not sources:
        raise SignalError(
            f"{root}: no .h5 files here; request fastMRI at {FastMRI.source} and put them there"
        )
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sources:
        # folders become part of the name: nothing may be overwritten by a namesake
        name = "-".join(source.relative_to(root).with_suffix("").parts)
        path = folder / f"{name}.nii.gz"
        if not path.is_file():
            save_image(convert(source, key), path)
        written.append(path)
    return written


def convert(source: Path, key: str) -> nibabel.Nifti1Image:
    """The volume of a .h5 file.

    Raises:
        SignalError: another kind of file, no such reconstruction, or no usable header.
    """
    try:
        with h5py.File(source, "r") as file:
            if key not in file:
                has = ", ".join(sorted(file)) or "nothing"
                raise SignalError(f"{source}: has no {key}, only {has}; choose another key")
            array = file[key]
            if array.ndim != 3 or array.dtype.kind != "f" or not 0 < array.size <= _MAX_VOXELS:
                raise SignalError(
                    f"{source}: {key} is {array.shape} of {array.dtype}; a volume has three axes, "
                    "of floats"
                )
            slices = np.asarray(array, np.float32)
            header = file["ismrmrd_header"] if "ismrmrd_header" in file else None
            text = b"" if header is None or header.shape != () else header[()]
    except FileNotFoundError:
        raise SignalError(f"{source}: no such file") from None
    except (OSError, KeyError, RuntimeError, AttributeError) as error:
        raise SignalError(f"{source}: cannot be read as HDF5 ({one_line(error)})") from None
    volume = np.asfortranarray(slices.transpose(2, 1, 0)[:, ::-1])  # z y x to x y z, y upwards
    sizes = _sizes(text, source)
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = [-s * (n - 1) / 2 for s, n in zip(sizes, volume.shape, strict=True)]
    image = nibabel.Nifti1Image(volume, affine)
    image.header.set_xyzt_units("mm", "sec")
    return image


def _sizes(text: bytes | str, source: Path) -> list[float]:
    """Voxel sizes x y z in millimetres, from an ISMRMRD header."""
    raw = text.encode() if isinstance(text, str) else text
    if not raw or len(raw) > _MAX_XML or b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise SignalError(f"{source}: no ismrmrd_header with the size of its voxels")
    try:
        space = ET.fromstring(raw).find(".//{*}encoding/{*}reconSpace")
        if space is None:
            raise ValueError("no reconSpace")
        sizes = []
        for axis in "xyz":
            edge = space.find(f"{{*}}fieldOfView_mm/{{*}}{axis}")
            many = space.find(f"{{*}}matrixSize/{{*}}{axis}")
            if edge is None or many is None:
                raise ValueError("no field of view")
            sizes.append(float(edge.text or "") / int(many.text or ""))
        if not all(0 < size < 1000 for size in sizes):
            raise ValueError(f"voxels of {sizes} mm")
    except (ET.ParseError, ValueError, ZeroDivisionError) as error:
        raise SignalError(f"{source}: its ismrmrd_header cannot be used ({error})") from None
    return sizes
