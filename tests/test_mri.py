"""Volumes: NIfTI files to signals and back."""

import gzip
import math
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mri_files import QUICK, back, oblique, ramp, same_header, save

from inrc.errors import SignalError
from inrc.testing import check_file, check_modality
from inrc_modalities.mri import MRI, masks
from inrc_modalities.mri.header import Header
from inrc_modalities.mri.layout import TYPES
from inrc_modalities.mri.reading import load
from inrc_modalities.mri.scaling import ends

REAL = sorted((Path(__file__).parents[2] / "shared" / "data" / "mri").glob("stroke_t?_*.nii.gz"))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", sorted(TYPES.values()))
def test_every_type_of_voxel_comes_back(tmp_path: Path, kind: str, suffix: str) -> None:
    array = ramp(5, 6, 7, kind=kind)
    path = save(tmp_path / f"a{suffix}", array)
    made = back(MRI(4, percentile=100.0), path, tmp_path / "b")
    same_header(path, made)
    image = nib.load(made)
    assert image.get_data_dtype() == np.dtype(kind)
    voxels = np.asanyarray(image.dataobj)
    if kind[0] == "f":
        assert np.abs(voxels - array).max() < 1e-4 * array.max()
    else:
        assert np.array_equal(voxels, array)


def test_header_fields_come_back_to_the_last_bit(tmp_path: Path) -> None:
    image = nib.Nifti1Image(ramp(4, 5, 6), oblique(0.9, 1.1, 3.0))
    image.set_qform(oblique(0.9, 1.1, 3.0), 3)
    image.set_sform(oblique(1.0, 1.0, 3.1), 4)
    head = image.header
    head.set_xyzt_units("micron", "msec")
    head["descrip"], head["aux_file"], head["intent_name"] = b"made \xff up", b"x\0y", b"none"
    head["cal_max"], head["toffset"], head["dim_info"] = 3.7, np.nan, 57
    head["slice_code"], head["slice_end"], head["glmin"] = 3, 5, -9
    head.set_slope_inter(0.037, -12.5)
    extension = nib.nifti1.Nifti1Extension("comment", b"taken on a Tuesday")
    head.extensions.append(extension)
    path = tmp_path / "a.nii"
    path.write_bytes(image.to_bytes())
    made = back(MRI(4), path, tmp_path / "b")
    same_header(path, made)
    written = nib.load(made)
    assert written.header.extensions[0].get_content() == extension.get_content()
    assert np.array_equal(written.affine, nib.load(path).affine)
    assert (written.dataobj.slope, written.dataobj.inter) == pytest.approx((0.037, -12.5))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_versions_and_byte_orders_come_back(tmp_path: Path, version: int, order: str) -> None:
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype("i2"))
    image = kind(ramp(5, 4, 3), oblique(1, 1, 1), header)
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(image.to_bytes()))
    made = back(MRI(3), path, tmp_path / "b")
    same_header(path, made)
    written = nib.load(made)
    assert type(written) is kind and written.header.endianness == order
    assert np.array_equal(np.asanyarray(written.dataobj), ramp(5, 4, 3))


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf, -2.5])
def test_any_slope_and_intercept_come_back(tmp_path: Path, slope: float) -> None:
    path = save(tmp_path / "a.nii", ramp(5, 4, 3), scl_slope=slope, scl_inter=7.0)
    made = back(MRI(3), path, tmp_path / "b")
    assert made.read_bytes() == path.read_bytes()
    scaled = np.isfinite(slope) and slope != 0  # nifti1.h: else voxels are not scaled
    real = load(made).real(0)
    assert np.allclose(real, ramp(5, 4, 3) * slope + 7.0 if scaled else ramp(5, 4, 3))


def test_clipped_voxels_and_bytes_after_the_last_voxel_are_listed(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 1000, (30, 30, 30)).astype("i2")
    array[3, 4, 5], array[6, 7, 8] = 30000, -30000
    path = save(tmp_path / "a.nii", array)
    path.write_bytes(path.read_bytes() + b"tail")
    assert MRI().losses(path) == [
        "2 voxels beyond the 99.99th percentile (clipped)", "4 bytes after the last voxel",
    ]  # fmt: skip
    assert MRI(percentile=100.0).losses(path) == ["4 bytes after the last voxel"]


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 5, 3), (4, 3, 2, 2, 2), (1, 1, 1)])
def test_any_number_of_dimensions_comes_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = save(tmp_path / "a.nii", ramp(*shape))
    modality = MRI(4)
    signal = modality.read(path)
    assert signal.shape == shape == modality.shape(signal.meta)
    assert signal.parts == math.prod(shape[3:])
    made = back(modality, path, tmp_path / "b")
    same_header(path, made)
    assert np.array_equal(np.asanyarray(nib.load(made).dataobj), ramp(*shape))


def test_usual_headers_cost_little(tmp_path: Path) -> None:
    plain = MRI().read(save(tmp_path / "a.nii", ramp(5, 6, 7), np.eye(4))).meta
    turned = MRI().read(save(tmp_path / "b.nii", ramp(5, 6, 7))).meta
    assert sum(len(value) for value in plain["fields"].values()) < 60
    assert sum(len(value) for value in turned["fields"].values()) < 130
    assert Header.of(turned).meta["fields"] == turned["fields"]


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_unknown_voxels_have_no_weight_and_come_back(tmp_path: Path, kind: str) -> None:
    array = ramp(9, 8, 7, kind=kind)
    array[:4] = np.nan
    array[5, 5, 5], array[6, 6, 6] = np.inf, -np.inf
    path = save(tmp_path / "a.nii", array)
    modality = MRI(4)
    signal = modality.read(path)
    assert signal.weights is not None
    assert torch.equal(signal.weights.reshape(9, 8, 7) == 0, ~torch.from_numpy(np.isfinite(array)))
    pieces = modality.split(signal)
    assert pieces.weights is not None and bool((pieces.weights.sum(1) > 0).all())
    made = back(modality, path, tmp_path / "b")
    voxels = np.asanyarray(nib.load(made).dataobj)
    for test in (np.isnan, np.isposinf, np.isneginf):
        assert np.array_equal(test(voxels), test(array))
    measures = modality.measure(path, made)
    assert measures["psnr"] > 90 and math.isfinite(measures["max_error"])
    check_file(modality, path, tmp_path / "law", tolerance=1e-5)


def test_masks_are_small_and_exact() -> None:
    ball = np.sum((np.mgrid[:40, :40, :40] - 20.0) ** 2, axis=0) > 300
    kinds = ball[None].astype(np.uint8)
    packed = masks.pack(kinds)
    assert len(packed) == 1 and len(packed[0]) < 40**3 / 8 / 6
    assert np.array_equal(masks.unpack(packed, (1, 40, 40, 40)), kinds)
    with pytest.raises(SignalError, match="damaged"):
        masks.unpack([packed[0][:9]], (1, 40, 40, 40))
    with pytest.raises(SignalError, match="damaged"):
        masks.unpack(packed, (1, 4, 4, 4))


def test_the_rarest_values_are_clipped_and_counted(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 1000, (30, 30, 30)).astype("i2")
    array[3, 4, 5], array[6, 7, 8] = 30000, -30000
    path = save(tmp_path / "a.nii", array)
    modality = MRI(8, percentile=99.99)
    assert modality.read(path).meta["range"] == [0, 999]
    made = back(modality, path, tmp_path / "b")
    voxels = np.asanyarray(nib.load(made).dataobj)
    assert voxels[3, 4, 5] == 999 and voxels[6, 7, 8] == 0
    measures = modality.measure(path, made)
    assert measures["clipped"] == pytest.approx(2 / 27000)
    assert measures["max_error"] == 30000
    whole = MRI(8, percentile=100.0)
    assert whole.measure(path, back(whole, path, tmp_path / "c"))["clipped"] == 0.0


@QUICK
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=60), st.floats(50.1, 100.0))
def test_ends_are_order_statistics(values: list[int], percentile: float) -> None:
    array = np.array(values, "i2").reshape(-1, 1, 1)
    low, high = ends(array, percentile, Path("a"))
    assert low in values and high in values
    assert np.mean(array <= high) >= percentile / 100 - 1e-9 or high == low
    # a file that was clipped has the same ends
    assert ends(np.clip(array, low, high), percentile, Path("a")) == (low, high)


@QUICK
@given(st.data())
def test_any_file_comes_back(tmp_path: Path, data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=4))
    kind = data.draw(st.sampled_from(["u1", "i2", "u2", "i4"]))
    sizes = [data.draw(st.floats(0.2, 6.0)) for _ in range(3)]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    array = rng.integers(0, 200, shape).astype(kind)
    path = save(tmp_path / "a.nii", array, oblique(*sizes))
    modality = MRI(
        data.draw(st.integers(1, 8)), data.draw(st.sampled_from([None, 1.0, 2.0])), 100.0
    )
    made = back(modality, path, tmp_path / "b")
    same_header(path, made)
    assert np.array_equal(np.asanyarray(nib.load(made).dataobj), array)


@pytest.mark.parametrize("spacing", [None, 1.0])
def test_the_law_of_modalities_is_kept(tmp_path: Path, spacing: float | None) -> None:
    paths = [
        save(tmp_path / "a.nii.gz", ramp(11, 12, 9), oblique(0.8, 1.0, 3.0)),
        save(tmp_path / "b.nii", ramp(7, 5, 3, 2, kind="f4")),
        save(tmp_path / "c.nii", ramp(9, 11, kind="u1"), np.eye(4)),
    ]
    (tmp_path / "empty").mkdir()
    check_modality(MRI(8, spacing), paths, tmp_path / "empty", tolerance=1e-5)


@pytest.mark.parametrize("name", ["a.nii.gz", "A.NII", "b.nii"])
def test_packed_files_come_back_packed(tmp_path: Path, name: str) -> None:
    meta = MRI().read(save(tmp_path / name, ramp(5, 4, 3))).meta
    assert MRI().suffix(meta) == name[1:].lower()


@pytest.mark.skipif(not REAL, reason="real volumes are not here")
def test_a_real_volume_comes_back(tmp_path: Path) -> None:
    made = back(MRI(), REAL[0], tmp_path)
    same_header(REAL[0], made)
    assert MRI().measure(REAL[0], made)["psnr"] > 65


def test_a_codec_needs_no_trainer() -> None:
    code = "import sys, inrc_modalities.mri; sys.exit('lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(ImportError, match="Nothing"):
        from inrc_modalities.mri import Nothing  # noqa: F401
