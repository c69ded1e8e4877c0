"""Volumes: labels come back exactly, in every type, under views and through an archive."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mri_files import QUICK, back, ramp, same_header, save

from inrc.errors import SignalError
from inrc.signal import View
from inrc.testing import check_file
from inrc_modalities.mri import MRI, MRIDataModule, labels
from inrc_modalities.mri.reading import load


def regions(kind: str, values: list[int]) -> np.ndarray:
    """Nested balls, each with a label of its own."""
    grid = np.mgrid[:18, :16, :14] - np.array([8.5, 7.5, 6.5])[:, None, None, None]
    depth = np.minimum((np.linalg.norm(grid, axis=0) / 2).astype(int), len(values) - 1)
    return np.array(values, kind)[depth]


KEPT = [
    ("u1", [255, 3, 200, 0]), ("i1", [-5, 7, 100, 0]), ("i2", [1035, -2035, 17, 0]),
    ("u2", [60000, 2, 0]), ("i4", [2**30, -7, 0]), ("u4", [2**32 - 1, 5, 0]),
    ("i8", [2**62 + 1, 2**62, 0]), ("u8", [2**64 - 1, 2**60 + 1, 0]), ("f4", [4, 2, 0]),
    ("f8", [3, 1, 0]), ("u1", [1, 0]), ("i2", [0]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values"), KEPT)
def test_labels_of_every_type_come_back(tmp_path: Path, kind: str, values: list[int]) -> None:
    array = regions(kind, values)
    path = save(tmp_path / "a.nii.gz", array)
    modality = MRI(4)
    signal = modality.read(path)
    assert signal.meta["labels"] is not None and modality.split(signal).parts == 1
    made = back(modality, path, tmp_path / "b")
    same_header(path, made)
    assert np.array_equal(np.asanyarray(nib.load(made).dataobj), array)
    measures = modality.measure(path, made)
    assert measures["psnr"] == np.inf and measures["clipped"] == 0.0
    assert modality.losses(path) == []


def test_the_intent_decides(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 200, (9, 8, 7)).astype("i2")
    plain = save(tmp_path / "a.nii", array)
    stated = save(tmp_path / "b.nii", array, intent_code=labels.INTENT)
    assert MRI().read(plain).meta["labels"] is None
    assert MRI().read(stated).meta["labels"] is not None
    many = save(tmp_path / "c.nii", ramp(30, 20, 10), intent_code=labels.INTENT)
    assert np.array_equal(
        np.asanyarray(nib.load(back(MRI(), many, tmp_path / "d")).dataobj), ramp(30, 20, 10)
    )
    half = save(tmp_path / "e.nii", array + np.float32(0.5), intent_code=labels.INTENT)
    assert MRI().read(half).meta["labels"] is None  # no whole numbers


@pytest.mark.parametrize("order", ["<", ">"])
def test_byte_order_series_and_slope(tmp_path: Path, order: str) -> None:
    header = nib.Nifti1Image.header_class(endianness=order)
    header.set_data_dtype(np.dtype("i2"))
    array = np.stack([regions("i2", [7, 3, 0]), regions("i2", [300, 3, 0])], axis=-1)
    image = nib.Nifti1Image(array.astype(order + "i2"), np.eye(4), header)
    content = bytearray(image.to_bytes())
    np.frombuffer(content, image.header.template_dtype.newbyteorder(order), 1)[0]["scl_slope"] = 2.5
    path = tmp_path / "a.nii"
    path.write_bytes(content)
    made = back(MRI(), path, tmp_path / "b")
    assert made.read_bytes() == path.read_bytes()
    check_file(MRI(4), path, tmp_path / "law")


def test_views_have_the_nearest_label(tmp_path: Path) -> None:
    array = regions("u1", [9, 4, 0])
    modality = MRI(4)
    signal = modality.read(save(tmp_path / "a.nii", array))
    view = View(scale=2.0, region=(("x", 4.0, 9.0),))
    plan = modality.plan_queries(signal.meta, view)
    assert plan.parts == (0,)
    seen = modality.join(modality.split(signal).features, signal.meta, view)
    assert seen.shape == (10, 32, 28)
    modality.write(seen, tmp_path / "b.nii")
    doubled = array[4:9].repeat(2, 0).repeat(2, 1).repeat(2, 2)
    assert np.array_equal(np.asanyarray(nib.load(tmp_path / "b.nii").dataobj), doubled)
    with pytest.raises(SignalError, match="region"):
        modality.plan_queries(signal.meta, View(region=(("w", 0.0, 1.0),)))


def test_training_on_labels_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.nii", ramp(9, 9, 9))
    save(tmp_path / "b.nii", regions("u1", [1, 0]))
    with pytest.raises(SignalError, match=r"b\.nii: a label volume"):
        MRIDataModule(tmp_path, patch=4).setup("fit")


@QUICK
@given(st.data())
def test_any_labels_are_packed_and_unpacked(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=4, max_size=4)))
    kind = data.draw(st.sampled_from(["|u1", "<i2", ">i4", "<f4", ">u8"]))
    count = data.draw(st.sampled_from([2, 200, 300]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    array = rng.integers(0, count, shape).astype(kind)
    packed = labels.pack(array)
    labels.check(packed, np.dtype(kind))
    assert np.array_equal(labels.unpack(packed, shape, np.dtype(kind)), array)
    for broken in ([packed[0][:0], packed[1]], [packed[0], packed[1][:3]], [packed[0]], b"x"):
        with pytest.raises(SignalError, match="damaged"):
            labels.check(broken, np.dtype(kind))
            labels.unpack(broken, shape, np.dtype(kind))


def test_scans_are_no_labels(tmp_path: Path) -> None:
    sample = MRI().sample(tmp_path, 0, 3)
    for path in sample:
        file = load(path)
        assert not labels.are_labels(file.header, file.series())
