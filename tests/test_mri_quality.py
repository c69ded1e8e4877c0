"""Volumes: measures, pictures and baselines."""

import math
from pathlib import Path

import numpy as np
import pytest
from mri_files import same_header, save
from skimage.filters import threshold_otsu
from skimage.metrics import structural_similarity

from inrc.errors import SignalError
from inrc_modalities.mri import MRI, quality


def pair(tmp_path: Path, *shape: int) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    """Two volumes that differ by noise."""
    rng = np.random.default_rng(1)
    axes = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    a = np.where((axes**2).sum(0) < 0.6, 700.0, 20.0) + rng.normal(0, 15, shape)
    b = a + rng.normal(0, 40, shape)
    a, b = a.astype("i2"), b.astype("i2")
    return save(tmp_path / "a.nii", a), save(tmp_path / "b.nii", b), a, b


def test_measures_agree_with_scikit_image(tmp_path: Path) -> None:
    first, second, a, b = pair(tmp_path, 26, 24, 22)
    measures = MRI(percentile=100.0).measure(first, second)
    peak = float(a.max()) - float(a.min())
    mean, full = structural_similarity(
        a.astype(float), b.astype(float), data_range=peak, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    assert measures["ssim"] == pytest.approx(mean, abs=1e-9)
    error = (a.astype(float) - b) ** 2
    assert measures["psnr"] == pytest.approx(10 * np.log10(peak**2 / error.mean()))
    assert measures["max_error"] == np.sqrt(error.max())
    inside = quality.head(a.astype(float), float(a.min()), float(a.max()))
    cut = (slice(5, -5),) * 3
    assert measures["ssim_head"] == pytest.approx(full[cut][inside[cut]].mean(), abs=1e-9)
    assert measures["psnr_head"] == pytest.approx(10 * np.log10(peak**2 / error[inside].mean()))


def test_ssim_in_slabs_is_ssim(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.random.default_rng(0).random((2, 31, 13, 4))
    at_once = quality.ssim(a, b, 1.0)
    monkeypatch.setattr(quality, "_SLAB", 13 * 4 * 3)
    assert at_once.shape == (21, 3, 2) and np.allclose(quality.ssim(a, b, 1.0), at_once)


def test_the_threshold_is_that_of_scikit_image_and_the_head_is_filled() -> None:
    x, y, z = np.mgrid[-1:1:24j, -1:1:24j, -1:1:24j]
    radius = np.sqrt(x**2 + y**2 + z**2)
    shell = np.where((radius < 0.8) & (radius > 0.4), 100.0, 3.0)
    assert threshold_otsu(shell, 256) == pytest.approx(quality.otsu(shell, 3.0, 100.0), abs=0.5)
    inside = quality.head(shell, 3.0, 100.0)
    assert np.array_equal(inside, radius < 0.8)
    assert quality.head(np.zeros((4, 4, 4)), 0.0, 0.0).sum() == 0


def test_measures_of_what_has_no_head_or_is_the_same(tmp_path: Path) -> None:
    flat = save(tmp_path / "a.nii", np.full((12, 12, 3), 7, "i2"))
    worse = save(tmp_path / "b.nii", np.full((12, 12, 3), 6, "i2"))
    same = MRI().measure(flat, flat)
    assert same["psnr"] == same["psnr_head"] == math.inf and same["ssim"] == 1.0
    assert MRI().measure(flat, worse)["psnr"] == pytest.approx(20 * np.log10(7))
    other = save(tmp_path / "c.nii", np.full((12, 12, 4), 7, "i2"))
    with pytest.raises(SignalError, match=r"c\.nii: \(12, 12, 4\) voxels"):
        MRI().measure(flat, other)
    lost = np.full((12, 12, 3), 7, "f4")
    lost[0, 0, 0] = np.nan
    assert MRI().measure(flat, save(tmp_path / "d.nii", lost))["psnr"] == -math.inf


def test_real_values_are_measured_and_not_stored_ones(tmp_path: Path) -> None:
    first, second, a, b = pair(tmp_path, 12, 12, 12)
    plain = MRI().measure(first, second)
    first = save(tmp_path / "s.nii", a, scl_slope=-0.5, scl_inter=3.0)
    second = save(tmp_path / "t.nii", b, scl_slope=-0.5, scl_inter=3.0)
    scaled = MRI().measure(first, second)
    assert scaled["psnr"] == pytest.approx(plain["psnr"])
    assert scaled["max_error"] == plain["max_error"] / 2


def test_pictures_are_the_right_way_up(tmp_path: Path) -> None:
    array = np.zeros((10, 12, 14), "i2")
    array[7:9, 9:11, 7] = 100  # right, front, in the middle
    modality = MRI(percentile=100.0)
    upright = save(tmp_path / "a.nii", array, np.diag([1.0, 1, 1, 1]))
    turned = save(tmp_path / "b.nii", array[::-1].swapaxes(0, 1).copy(), np.array(
        [[0.0, -1, 0, 9], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    ))  # fmt: skip
    pictures = modality.picture(upright, turned)
    assert np.array_equal(pictures[0]["image"], pictures[1]["image"])
    assert pictures[0]["image"].shape == (12, 10, 3)
    bright = np.argwhere(pictures[0]["image"][..., 0] > 0.5)
    assert bright.tolist() == [[1, 7], [1, 8], [2, 7], [2, 8]]


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("kind", ["u1", "i2", "f4"])
def test_baselines_give_files_that_improve_with_their_bytes(
    tmp_path: Path, number: int, kind: str
) -> None:
    rng = np.random.default_rng(0)
    x, y, z = np.mgrid[-1:1:36j, -1:1:30j, -1:1:5j]
    volume = 90 * (1 + np.sin(5 * x) * np.cos(4 * y + z)) + rng.normal(0, 8, x.shape)
    volume = np.clip(volume, 0, 250)
    volume[..., 0] = 0  # a slice of nothing
    scale = {"u1": 1.0, "i2": 40.0, "f4": 1e-3}[kind]
    array = (volume * scale).astype(kind)
    if kind == "f4":
        array = np.stack([array, array * 0.5], -1)
        array[3, 4, 1, 0] = np.nan
    path = save(tmp_path / "a.nii.gz", array)
    baseline = MRI().baselines()[number]
    points = []
    for quality_ in (baseline.qualities[0], baseline.qualities[-1]):
        data = baseline.encode(path, quality_)
        made = tmp_path / "b.nii.gz"
        baseline.decode(data, path, made)
        measures = MRI(percentile=100.0).measure(path, made)
        points.append((len(data), measures["psnr"]))
        same_header(path, made)
    assert points[0][0] < points[1][0]
    assert points[0][1] + 3 < points[1][1] and points[1][1] > 30
