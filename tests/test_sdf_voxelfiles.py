"""Voxels: types, byte orders and names of arrays come back; damaged files are explained."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sdf_files import QUICK

from inrc.errors import SignalError
from inrc.signal import Modality
from inrc_modalities.sdf import SDF, Voxels, voxelfiles
from inrc_modalities.sdf.mesh import SUFFIXES
from inrc_modalities.sdf.mesh import save as save_mesh
from inrc_modalities.sdf.polygons import Mesh

KINDS = ["|b1", "|u1", "|i1", *(o + k for o in "<>" for k in "i2 i4 i8 u2 u4 u8 f2 f4 f8".split())]


def block(kind: str) -> np.ndarray:
    array = np.zeros((4, 5, 6), kind)
    array[1:3, 2:4, 1:5] = 1
    return array


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_types_and_byte_orders_come_back(tmp_path: Path, kind: str, order: str) -> None:
    array = np.asarray(block(kind), order=order)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", mask=array)
    modality = Voxels()
    for suffix in (".npy", ".npz"):
        path, made = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        modality.write(modality.read(path), made)
        assert modality.losses(path) == []
        loaded = np.load(made)
        written = loaded if suffix == ".npy" else loaded["mask"]
        assert written.dtype.str == kind and np.array_equal(written, array)


@pytest.mark.parametrize("kind", ["<c8", "<U1", "<M8[D]", "|O"])
def test_other_types_are_refused(tmp_path: Path, kind: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 2, 2), kind), allow_pickle=True)
    with pytest.raises(SignalError, match=r"a\.npy: an array .* zeros and ones"):
        Voxels().read(tmp_path / "a.npy")


def test_a_declared_shape_allocates_nothing(tmp_path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(  # type: ignore[no-untyped-call]
        head, {"descr": "|u1", "fortran_order": False, "shape": (512, 512, 512)}
    )
    (tmp_path / "a.npy").write_bytes(head.getvalue())
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as packed:
        packed.writestr("a.npy", head.getvalue())
    for name in ("a.npy", "a.npz"):
        with pytest.raises(SignalError, match="truncated"):
            Voxels().read(tmp_path / name)


def original(folder: Path, suffix: str) -> Modality:
    """A small file a`suffix`, and what reads it."""
    if suffix in voxelfiles.SUFFIXES:
        voxelfiles.save(voxelfiles.Grid(block("|b1") == 1), folder / f"a{suffix}")
        return Voxels()
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    solid = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    save_mesh(solid, folder / f"a{suffix}")
    return SDF(samples=48, near=0.0)


@QUICK
@given(st.data())
def test_damaged_bytes_raise_nothing_but_one_line(tmp_path: Path, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from([*SUFFIXES, *voxelfiles.SUFFIXES]))
    modality, path = original(tmp_path, suffix), tmp_path / f"a{suffix}"
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "double", "digit"]))
        if kind == "set":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "digit":
            content[at] = data.draw(st.sampled_from(b"0123456789-.eE \nxyzfv"))
        elif kind == "double":
            content[at:at] = content[at : at + 9]
        elif len(content) > 40:
            del content[at : at + data.draw(st.integers(1, 9))]
    path.write_bytes(content)
    try:
        signal = modality.read(path)
        modality.losses(path)
    except SignalError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
    else:
        assert modality.shape(signal.meta) == signal.shape
