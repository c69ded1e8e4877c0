"""What tests of volumes share."""

import gzip
import math
from pathlib import Path

import nibabel as nib
import numpy as np
from hypothesis import HealthCheck, settings

from inrc.signal import View
from inrc_modalities.mri import MRI

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def ramp(*shape: int, kind: str = "i2") -> np.ndarray:
    """Every voxel its own number, as far as the type reaches."""
    many = math.prod(shape)
    values = np.arange(many, dtype=np.float64) * min(1.0, 120 / many if kind == "i1" else 1.0)
    return (values % 250 if kind == "u1" else values).reshape(shape).astype(kind)


def oblique(*sizes: float) -> np.ndarray:
    """An affine with voxels of these sizes, turned about two axes."""
    a, b = 0.3, -0.2
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn * sizes
    affine[:3, 3] = [-12.5, 30.25, 7.0]
    return affine


def save(path: Path, array: np.ndarray, affine: np.ndarray | None = None, **fields: object) -> Path:
    """A file that nibabel writes; a field may be set behind its back."""
    place = oblique(1.0, 1.5, 2.0) if affine is None else affine
    image = nib.Nifti1Image(array, place, dtype=array.dtype)
    image.header.set_xyzt_units("mm", "sec")
    content = bytearray(image.to_bytes())
    if fields:
        header = np.frombuffer(content, image.header.template_dtype, 1)[0]
        for name, value in fields.items():
            header[name] = value
    path.write_bytes(gzip.compress(bytes(content)) if path.name.endswith(".gz") else content)
    return path


def back(modality: MRI, path: Path, folder: Path) -> Path:
    """What a codec without loss makes of a file."""
    folder.mkdir(exist_ok=True)
    signal = modality.read(path)
    pieces = modality.split(signal)
    modality.write(modality.join(pieces.features, signal.meta, View()), folder / path.name)
    return folder / path.name


def same_header(a: Path, b: Path) -> None:
    """Two files differ in nothing but their voxels, to the last bit."""
    raw = [gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in (a, b)]
    start = int(nib.load(a).dataobj.offset)
    assert raw[0][:start] == raw[1][:start] and len(raw[0]) == len(raw[1])
