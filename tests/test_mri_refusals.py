"""Volumes: files, headers and settings that are refused."""

import gzip
import math
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mri_files import QUICK, back, ramp, save

from inrc.errors import InrcError, SignalError
from inrc.signal import Signal, View
from inrc_modalities.mri import MRI
from inrc_modalities.mri.layout import FIELDS, MAX_EXTRA, SIZES

DIM, DESCRIP, DATATYPE, SFORM_CODE, SROW_X = (
    str((FIELDS[1].names or ()).index(name))
    for name in ("dim", "descrip", "datatype", "sform_code", "srow_x")
)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"srow_x": [0, 0, 0, 0], "sform_code": 1}, "singular affine"),
        ({"srow_x": [np.nan, 0, 0, 0], "sform_code": 1}, "singular affine"),
        ({"srow_y": [1, 1, 1, 0], "srow_x": [1, 1, 1, 9], "sform_code": 1}, "singular affine"),
        ({"pixdim": [1, 0, 0, 0, 0, 0, 0, 0], "sform_code": 0}, "singular affine"),
        ({"pixdim": [1, np.inf, 1, 1, 0, 0, 0, 0], "sform_code": 0}, "singular affine"),
        ({"quatern_b": np.nan, "sform_code": 0, "qform_code": 1}, "singular affine"),
        ({"dim": [0, 5, 6, 7, 1, 1, 1, 1]}, "0 dimensions"),
        ({"dim": [1, 5, 6, 7, 1, 1, 1, 1]}, "1 dimensions"),
        ({"dim": [9, 5, 6, 7, 1, 1, 1, 1]}, "9 dimensions"),
        ({"dim": [3, 5, 0, 7, 1, 1, 1, 1]}, "every axis"),
        ({"dim": [3, 5, -6, 7, 1, 1, 1, 1]}, "every axis"),
        ({"dim": [7, *[32767] * 7]}, "at most"),
        ({"dim": [3, 999, 999, 999, 1, 1, 1, 1]}, "truncated"),
        ({"datatype": 32, "bitpix": 64}, "complex"),
        ({"datatype": 128, "bitpix": 24}, "RGB"),
        ({"datatype": 2304, "bitpix": 32}, "RGBA"),
        ({"datatype": 1536, "bitpix": 128}, "128-bit"),
        ({"datatype": 1, "bitpix": 1}, "single bits"),
        ({"datatype": 77}, "unknown type 77"),
        ({"bitpix": 8}, "8 bits"),
        ({"vox_offset": 100.0}, "vox_offset 100"),
        ({"vox_offset": np.nan}, "vox_offset nan"),
        ({"vox_offset": 352.5}, "vox_offset 352.5"),
        ({"vox_offset": 1e9}, "extensions of more"),
        ({"vox_offset": 9000.0}, "truncated"),
        ({"magic": b"ni1"}, "pair of .hdr and .img"),
        ({"magic": b""}, "ANALYZE"),
        ({"sizeof_hdr": 349}, "not a NIfTI"),
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_impossible_headers_are_refused(
    tmp_path: Path, fields: dict[str, object], reason: str, suffix: str
) -> None:
    path = save(tmp_path / f"a{suffix}", ramp(5, 6, 7), **fields)
    with pytest.raises(SignalError, match=reason) as caught:
        MRI().read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_pairs_are_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(ramp(5, 6, 7), np.eye(4)), tmp_path / "a.img")
    with pytest.raises(SignalError, match=r"a\.hdr: half of a pair"):
        MRI().read(tmp_path / "a.hdr")
    with pytest.raises(SignalError, match=r"a\.img: not a NIfTI"):
        MRI().read(tmp_path / "a.img")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_cut_and_damaged_files_are_refused(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 99, (12, 12, 12)).astype("i2")
    path = save(tmp_path / f"a{suffix}", array)
    content = path.read_bytes()
    for keep in (1, 3, 100, 347, 351, 360, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:keep])
        with pytest.raises(SignalError, match=r"not a NIfTI|truncated"):
            MRI().read(path)
    if suffix == ".nii.gz":  # what gzip's checksum is for
        path.write_bytes(content[:-6] + b"xx" + content[-4:])
        with pytest.raises(SignalError, match="damaged"):
            MRI().read(path)


def test_what_a_gzip_file_cannot_hold_is_not_waited_for(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", ramp(5, 6, 7), dim=[3, 1000, 1000, 1000, 1, 1, 1, 1])
    with pytest.raises(SignalError, match="truncated"):
        MRI().read(path)


def test_values_that_cannot_be_computed_with_are_refused(tmp_path: Path) -> None:
    for array, reason in [
        (np.full((4, 4, 4), np.nan, "f4"), "only NaN"),
        (np.array([[[-1.7e308, 1.7e308]]]), "scale them down"),
        (np.array([[[0, 5, 2**60]]]), "beyond 2\\^53"),
    ]:
        path = save(tmp_path / "a.nii", array)
        with pytest.raises(SignalError, match=reason):
            MRI(percentile=100.0).read(path)
    image = nib.Nifti1Image(ramp(4, 4, 4), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * MAX_EXTRA))
    (tmp_path / "e.nii").write_bytes(image.to_bytes())
    with pytest.raises(SignalError, match="extensions"):
        MRI().read(tmp_path / "e.nii")


def small(version: int, order: str) -> bytes:
    """A file of either version and byte order."""
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype("i2"))
    content: bytes = kind(ramp(5, 6, 7), np.eye(4), header).to_bytes()
    return content


@QUICK
@given(st.data())
def test_damaged_files_never_raise_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    version = data.draw(st.sampled_from([1, 2]))
    content = bytearray(small(version, data.draw(st.sampled_from("<>"))))
    packed = data.draw(st.booleans())
    if packed and data.draw(st.booleans()):  # damage the packed bytes
        content = bytearray(gzip.compress(bytes(content), mtime=0))
        packed = False
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, min(len(content) - 1, SIZES[version] + 4)))] = data.draw(
            st.integers(0, 255)
        )
    path = tmp_path / "a.nii"
    path.write_bytes(gzip.compress(bytes(content)) if packed else content)
    modality = MRI(4)
    try:
        signal = modality.read(path)
        modality.losses(path)
    except SignalError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
        return
    assert modality.shape(signal.meta) == signal.shape
    back(modality, path, tmp_path / "b")
    plan = modality.plan_queries(signal.meta, View(scale=0.5))
    zeros = torch.zeros(len(plan.parts), plan.queries.shape[1], 1)
    seen = modality.join(zeros, signal.meta, View(scale=0.5))
    assert modality.shape(seen.meta) == seen.shape


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [0, 4, 4]}, {"shape": [4]}, {"shape": [40000, 4, 4]}, {"shape": "444"},
        {"shape": [4.0, 4, 4]}, {"shape": None}, {"datatype": 3}, {"datatype": "u1"},
        {"version": 3}, {"version": True}, {"order": "="}, {"order": None}, {"fields": None},
        {"fields": {"nothing": b""}}, {"fields": {DIM: b"\3\0\5\0\5\0\5"}},
        {"fields": {DESCRIP: b"x" * 81}}, {"fields": {DESCRIP: "x"}},
        {"fields": {DATATYPE: b"\x20"}}, {"extra": b""}, {"extra": None}, {"range": [1, 0]},
        {"range": [0.0, math.nan]}, {"range": [0, 1 << 40]}, {"range": None}, {"range": [0]},
        {"unknown": b"x"}, {"unknown": [b"x"]}, {"unknown": []},
        {"fields": {SFORM_CODE: b"\1", SROW_X: b""}},
    ],
)  # fmt: skip
def test_hostile_metas_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    meta = MRI().read(save(tmp_path / "a.nii", ramp(4, 4, 4), np.eye(4))).meta
    assert MRI().shape(meta) == (4, 4, 4)
    with pytest.raises(SignalError) as caught:
        MRI().shape({**meta, **change})
    assert "\n" not in str(caught.value)
    for key in set(meta) - {"suffix"}:  # which has a default
        with pytest.raises(SignalError):
            MRI().shape({k: v for k, v in meta.items() if k != key})


def test_settings_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for settings_, reason in [
        ({"patch": 0}, "patch"), ({"spacing": 0.0}, "spacing"), ({"spacing": math.nan}, "spacing"),
        ({"percentile": 10.0}, "percentile"), ({"percentile": 101.0}, "percentile"),
    ]:  # fmt: skip
        with pytest.raises(SignalError, match=reason):
            MRI(**settings_)
    signal = MRI().read(save(tmp_path / "a.nii", ramp(4, 4, 4)))
    with pytest.raises(SignalError, match=r"use \.nii"):
        MRI().write(signal, tmp_path / "a.png")
    short = Signal(signal.queries[:, :9], signal.features[:, :9], (9,), signal.meta)
    with pytest.raises(SignalError, match="do not fit"):
        MRI().write(short, tmp_path / "b.nii")
    with pytest.raises(InrcError, match="its folder does not exist"):
        MRI().write(signal, tmp_path / "nowhere" / "b.nii")
    assert not (tmp_path / "b.nii").exists()
