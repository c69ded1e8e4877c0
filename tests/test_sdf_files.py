"""Shapes: files, good and bad."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from sdf_files import SMALL, ball, decoded, opened, ring, stored

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.sdf import SDF
from inrc_modalities.sdf.mesh import SUFFIXES, Mesh, load


def test_far_from_the_origin_ply_is_in_double_precision(tmp_path: Path) -> None:
    mesh = ring()
    mesh = Mesh(mesh.vertices + np.array([5e6, 4e6, 100.0]), mesh.faces)
    path = stored(mesh, tmp_path / "a.ply")
    assert b"property double x" in path.read_bytes()
    assert abs(load(path).volume - mesh.volume) < 1e-6
    signal, _ = decoded(SMALL, path, View())
    SMALL.write(signal, tmp_path / "b.ply")
    assert opened(tmp_path / "b.ply").is_watertight
    assert SMALL.measure(path, tmp_path / "b.ply")["psnr"] > 45


OPEN = "v 0 0 0\nv 1 0 0\nv 0 1 0.3\nv 1 1 0\nf 1 2 3\nf 2 4 3\n"


CUBE = trimesh.creation.box()


def ply(text: str) -> bytes:
    return ("ply\nformat ascii 1.0\n" + text).encode()


XYZ = "property float x\nproperty float y\nproperty float z\n"


LIST = "property list uchar int vertex_indices\nend_header\n"


TRIANGLE = "0 0 0\n1 0 0\n0 1 0.5\n"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("sheet.obj", OPEN.encode(), "inside is undefined"),
        ("one.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 1\nf 1 2 3\n", "inside is undefined"),
        ("flat.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "flat"),
        ("point.obj", b"v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "flat"),
        ("nan.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("inf.obj", b"v inf 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("far.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "damaged"),
        (
            "points.ply",
            ply(f"element vertex 3\n{XYZ}end_header\n{TRIANGLE}"),
            "no triangles",
        ),
        (
            "none.ply",
            ply(f"element vertex 3\n{XYZ}element face 0\n{LIST}{TRIANGLE}"),
            "no triangles",
        ),
        (
            "huge.ply",
            ply(f"element vertex 4000000000\n{XYZ}element face 1\n{LIST}{TRIANGLE}3 0 1 2\n"),
            "truncated",
        ),
        (
            "huge-binary.ply",
            ply(f"element vertex 4000000000000\n{XYZ}element face 1\n{LIST}").replace(
                b"ascii", b"binary_little_endian"
            ),
            "truncated",
        ),
        ("huge.off", b"OFF\n4000000000 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "truncated"),
        ("huge.stl", b"\0" * 80 + struct.pack("<I", 0xFFFFFFFF) + b"\0" * 50, "truncated"),
        ("mesh.xyz", b"0 0 0", "not a mesh file"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SignalError, match=reason) as refusal:
        SMALL.read(path)
    assert name in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("text", [False, True])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, text: bool) -> None:
    mesh = ring()
    path = stored(mesh, tmp_path / f"a{suffix}")
    content = path.read_bytes()
    if text and suffix in (".ply", ".stl"):
        kind = "ply" if suffix == ".ply" else "stl_ascii"
        made = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        export = made.export(file_type=kind, **({"encoding": "ascii"} if kind == "ply" else {}))
        content = export if isinstance(export, bytes) else export.encode()
        path.write_bytes(content)
        assert load(path).volume == pytest.approx(mesh.volume, rel=1e-4)
    for share in (0.2, 0.5, 0.8)[: 2 if suffix == ".obj" else 3]:  # an OBJ declares no length
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(SignalError, match=path.name):
            SMALL.read(path)


def test_a_box_without_lid_has_no_inside_but_small_holes_do_not_matter(tmp_path: Path) -> None:
    lidless = Mesh(
        np.array(CUBE.vertices), np.array(CUBE.faces)[np.array(CUBE.face_normals)[:, 2] < 0.5]
    )
    with pytest.raises(SignalError, match=r"lidless\.ply: inside is undefined.*close its holes"):
        SMALL.read(stored(lidless, tmp_path / "lidless.ply"))
    whole = ball()
    holed = Mesh(whole.vertices, whole.faces[8:])
    modality = SDF(samples=4800, near=0.0)
    first = modality.read(stored(whole, tmp_path / "whole.ply")).features
    second = modality.read(stored(holed, tmp_path / "holed.ply")).features
    assert ((first < 0.5) != (second < 0.5)).float().mean() < 0.01


def test_inverted_doubled_and_overlapping_faces_do_not_matter(tmp_path: Path) -> None:
    whole = ball()
    modality = SDF(samples=2400, near=0.0)
    first = modality.read(stored(whole, tmp_path / "a.ply"))
    turned = Mesh(whole.vertices, whole.faces[:, ::-1].copy())
    assert torch.equal(
        modality.read(stored(turned, tmp_path / "b.ply")).features < 0.5, first.features < 0.5
    )
    inner = ball(1.0)
    both = Mesh(
        np.concatenate([whole.vertices, inner.vertices]),
        np.concatenate([whole.faces, inner.faces + len(whole.vertices)]),
    )
    overlapping = modality.read(stored(both, tmp_path / "c.ply"))
    assert torch.equal(overlapping.features < 0.5, first.features < 0.5)
