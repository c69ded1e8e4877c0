"""Synthetic heads, on which a recipe trains offline.

A Shepp-Logan phantom in three dimensions whose ellipsoids are random in every head, with
folded grey and white matter, bent by a smooth deformation, shaded by a smooth bias field and taken
with Rician noise. They are a third of a head in size, so that a millimetre of a small file shows as
much as it does in a scan.
"""

from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from inrc.files import write_samples
from inrc_modalities.mri.writing import save_image

Grid = NDArray[np.float64]

EDGE = 56.0  # millimetres of the field of view
_SIZES = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.9, 0.9, 1.2))
"""Voxels in millimetres; most scans of heads are cubic."""
_NOISE = 0.012  # of the brightest tissue: an SNR of 80
_BEND = 0.06  # of the field of view
_VERSION = 1  # of the heads: raise it when they change, so that old samples are drawn anew

# centre x y z, half axes x y z (of half the field of view), turn about z in degrees, brightness.
# The order is from the outside in: each replaces what it covers. After Shepp and Logan 1974 in the
# three-dimensional form of Kak and Slaney 1988, table 3.1, with tissues as a T1 scan shows them.
_ELLIPSOIDS = (
    ((0.0, 0.0, 0.0), (0.72, 0.92, 0.84), 0.0, 0.85),  # skin and fat
    ((0.0, 0.0, 0.0), (0.68, 0.88, 0.80), 0.0, 0.08),  # bone
    ((0.0, -0.01, 0.0), (0.64, 0.84, 0.76), 0.0, 0.22),  # fluid
    ((0.0, -0.01, 0.0), (0.61, 0.81, 0.73), 0.0, -1.0),  # brain: folded, see below
    ((0.17, 0.08, 0.05), (0.09, 0.30, 0.20), -14.0, 0.18),  # ventricles
    ((-0.17, 0.08, 0.05), (0.09, 0.30, 0.20), 14.0, 0.18),
    ((0.22, -0.10, -0.12), (0.11, 0.16, 0.14), 0.0, 0.55),  # deep grey matter
    ((-0.22, -0.10, -0.12), (0.11, 0.16, 0.14), 0.0, 0.55),
    ((0.0, -0.45, -0.42), (0.36, 0.22, 0.20), 0.0, 0.66),  # cerebellum
)


def write(folder: Path, seed: int, count: int) -> list[Path]:
    """Write `count` files, of which head i depends on the seed and on i only."""
    paths = [folder / f"head-{seed}-{i:04d}.nii.gz" for i in range(count)]
    return write_samples(
        folder / f"head-{seed}.json",
        paths,
        {"version": _VERSION, "edge": EDGE},
        lambda i, path: save_image(scan(np.random.default_rng((seed, i))), path),
    )


def scan(rng: np.random.Generator) -> nibabel.Nifti1Image:
    """One head as a scanner of its own gain and position would store it."""
    sizes = _SIZES[int(rng.integers(len(_SIZES)))]
    shape = [round(EDGE / size) for size in sizes]
    light = head(rng, shape) * np.exp(0.25 * smooth(rng, shape, 3))
    real, imaginary = rng.normal(0.0, _NOISE, (2, *shape))
    values = np.hypot(light + real, imaginary) * rng.uniform(500.0, 1500.0)
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = -np.array(sizes) * shape / 2 + rng.normal(0.0, 5.0, 3)
    image = nibabel.Nifti1Image(np.rint(values).astype(np.int16), affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    return image


def head(rng: np.random.Generator, shape: list[int]) -> Grid:
    """Brightness X Y Z of a head in [0, 1]."""
    axes = [(np.arange(n) + 0.5) * 2 / n - 1 for n in shape]
    mesh = np.stack(np.meshgrid(*axes, indexing="ij"))
    mesh = mesh + _BEND * np.stack([smooth(rng, shape, 4) for _ in range(3)])
    folds = np.abs(smooth(rng, shape, 12)) + 0.35 * np.abs(smooth(rng, shape, 20))
    edge = 2.0 / min(shape)  # a voxel
    image: Grid = np.zeros(shape)
    for centre, half, turn, light in _ELLIPSOIDS:
        depth = _depth(mesh, rng, centre, half, turn)
        inside = 1.0 / (1.0 + np.exp(np.clip(-2.0 * depth / edge, -50.0, 50.0)))
        tissue: Grid | float = light * rng.uniform(0.92, 1.08)
        if light < 0:  # white matter at 0.8, grey at 0.55, fluid of 0.2 in the deepest furrows
            rim = 1.0 / (1.0 + np.exp(-(depth - 0.16 - 0.12 * (folds - 0.8)) / 0.015))
            furrow = 1.0 / (1.0 + np.exp(-(0.10 - folds - 0.5 * depth) / 0.02))
            tissue = (0.55 + 0.25 * rim) * (1.0 - furrow) + 0.2 * furrow
        image += (tissue - image) * inside
    return image


def smooth(rng: np.random.Generator, shape: list[int], knots: int) -> Grid:
    """Noise without detail finer than the distance of so many knots along an axis; variance 1."""
    coarse = rng.normal(size=(knots,) * 3)
    factors = [n / knots for n in shape]
    fine: Grid = zoom(coarse, factors, order=3, mode="reflect", grid_mode=True)
    return fine / fine.std()


def _depth(
    mesh: Grid,
    rng: np.random.Generator,
    centre: tuple[float, float, float],
    half: tuple[float, float, float],
    turn: float,
) -> Grid:
    """Roughly how deep a place lies in an ellipsoid, negative outside."""
    place = np.array(centre) + rng.normal(0.0, 0.012, 3)
    size = np.array(half) * rng.uniform(0.94, 1.06, 3)
    angle = np.deg2rad(turn + rng.normal(0.0, 4.0))
    x, y, z = mesh - place[:, None, None, None]
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    radius = np.sqrt((u / size[0]) ** 2 + (v / size[1]) ** 2 + (z / size[2]) ** 2)
    return (1.0 - radius) * size.min()
