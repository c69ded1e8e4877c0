"""Shapes: every kind of polygon, text, byte order and index that mesh files have."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from sdf_files import QUICK, ball, ring, stored

from inrc.errors import SignalError
from inrc_modalities.sdf import SDF
from inrc_modalities.sdf.mesh import SUFFIXES, Mesh, load, losses, save

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
SQUARES = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
MIXED = [*SQUARES[:3], [2, 3, 7], [2, 7, 6], *SQUARES[4:]]
# an L of area 3, one unit deep: its caps are concave polygons of six corners
OUTLINE = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]


def prism(outline: Sequence[tuple[float, float]]) -> tuple[np.ndarray, list[list[int]]]:
    """A straight body over an outline, one unit high."""
    n = len(outline)
    points = np.array([(x, y, z) for z in (0, 1) for x, y in outline], float)
    sides = [[k, (k + 1) % n, (k + 1) % n + n, k + n] for k in range(n)]
    return points, [list(range(n))[::-1], list(range(n, 2 * n)), *sides]


def ply(
    vertices: np.ndarray, faces: list[list[int]], order: str, more: str = "", tail: bytes = b""
) -> bytes:
    """A PLY file in text ("") or in a byte order; `more` are further properties of vertices."""
    form = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[order]
    head = f"ply\nformat {form} 1.0\ncomment made\nelement vertex {len(vertices)}\n"
    head += "".join(f"property double {axis}\n" for axis in "xyz")
    head += "".join(f"property uchar {name}\n" for name in more.split())
    head += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    extra = len(more.split())
    if order == "":
        rows = [" ".join(map(repr, v)) + " 7" * extra for v in vertices.tolist()]
        rows += [" ".join(map(str, [len(f), *f])) for f in faces]
        return head.encode() + "\n".join(rows).encode() + b"\n" + tail
    body = b"".join(struct.pack(f"{order}3d", *v) + b"\7" * extra for v in vertices.tolist())
    body += b"".join(struct.pack(f"{order}B{len(f)}i", len(f), *f) for f in faces)
    return head.encode() + body + tail


@pytest.mark.parametrize("order", ["", "<", ">"])
@pytest.mark.parametrize("faces", [SQUARES, MIXED])
def test_ply_of_any_order_and_polygons(tmp_path: Path, order: str, faces: list[list[int]]) -> None:
    path = tmp_path / "a.ply"
    path.write_bytes(ply(CORNERS, faces, order))
    mesh = load(path)
    assert mesh.volume == pytest.approx(1.0) and len(mesh.faces) == 12
    assert np.array_equal(mesh.bounds, [[0, 0, 0], [1, 1, 1]])
    path.write_bytes(ply(CORNERS, faces, order, "red green blue nx"))
    assert load(path).volume == pytest.approx(1.0)
    assert losses(path) == ["vertex normals", "vertex colours"]


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".off"])
@pytest.mark.parametrize("start", range(6))
def test_concave_polygons_cover_what_they_enclose(tmp_path: Path, suffix: str, start: int) -> None:
    outline = OUTLINE[start:] + OUTLINE[:start]
    points, faces = prism(outline)
    points = points @ np.linalg.qr(np.arange(9.0).reshape(3, 3) + np.eye(3))[0].T  # in any plane
    path = tmp_path / f"a{suffix}"
    if suffix == ".ply":
        path.write_bytes(ply(points, faces, "<"))
    elif suffix == ".obj":
        rows = [f"v {x!r} {y!r} {z!r}" for x, y, z in points.tolist()]
        rows += ["f " + " ".join(str(n + 1) for n in face) for face in faces]
        path.write_text("\n".join(rows))
    else:
        rows = ["OFF", "12 8 0", *(" ".join(map(repr, p)) for p in points.tolist())]
        rows += [" ".join(map(str, [len(face), *face])) for face in faces]
        path.write_text("\n".join(rows))
    mesh = load(path)
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    area = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)
    assert abs(mesh.volume) == pytest.approx(3.0)
    assert area == pytest.approx(2 * 3.0 + 8.0)  # no triangle lies where there is no polygon


def test_concave_quadrilaterals_are_cut_along_the_inner_diagonal(tmp_path: Path) -> None:
    for turn in range(4):
        arrow = [(0.0, 0.0), (2.0, 1.0), (0.0, 2.0), (1.0, 1.0)]
        points, faces = prism(arrow[turn:] + arrow[:turn])
        path = tmp_path / "a.ply"
        path.write_bytes(ply(points, faces, "<"))
        mesh = load(path)
        a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
        caps = np.abs(np.cross(b - a, c - a)[:, 2]).sum() / 2
        assert abs(mesh.volume) == pytest.approx(1.0) and caps == pytest.approx(2.0)


@QUICK
@given(st.lists(st.floats(0.2, 3.0), min_size=5, max_size=12))
def test_stars_are_cut_into_their_area(tmp_path: Path, radii: list[float]) -> None:
    angles = np.arange(len(radii)) * 2 * np.pi / len(radii)
    outline = [(r * np.cos(a), r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]
    points, faces = prism(outline)
    x, y = np.array(outline).T
    area = float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)
    path = tmp_path / "a.ply"
    path.write_bytes(ply(points, faces, ">"))
    mesh = load(path)
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    assert mesh.volume == pytest.approx(area)
    assert np.abs(np.cross(b - a, c - a)[:, 2]).sum() / 2 == pytest.approx(2 * area)


def test_obj_indices_count_back_and_carry_more(tmp_path: Path) -> None:
    path = tmp_path / "a.obj"
    rows = ["# made", "mtllib a.mtl", "o one"]
    for n, face in enumerate(SQUARES):  # every square has vertices of its own
        rows += [f"v {x:g} {y:g} {z:g}" for x, y, z in CORNERS[face]]
        rows += ["vt 0 0", "vn 0 0 1", f"o part{n}", "usemtl red"]
        rows += ["f -4/-1/-1 -3/-1/-1 \\", "  -2//-1 -1"]
    path.write_text("\n".join(rows))
    mesh = load(path)
    assert mesh.volume == pytest.approx(1.0) and mesh.vertices.shape == (8, 3)
    assert set(losses(path)) == {
        "materials and textures", "texture coordinates", "vertex normals",
        "names of its objects and groups",
    }  # fmt: skip
    coloured = [f"v {x:g} {y:g} {z:g} 1 0 0" for x, y, z in CORNERS]
    coloured += ["f " + " ".join(str(n + 1) for n in face) for face in SQUARES]
    path.write_text("\n".join(coloured))
    assert load(path).volume == pytest.approx(1.0) and losses(path) == ["vertex colours"]
    path.write_text("\n".join([*coloured, "f 0 1 2"]))
    with pytest.raises(SignalError, match=r"a\.obj: invalid line 15"):
        load(path)


def test_off_with_colours_comments_and_counts_beside_the_keyword(tmp_path: Path) -> None:
    path = tmp_path / "a.off"
    rows = ["COFF 8 6 0  # counts", "", *(f"{x:g} {y:g} {z:g} 1 0 0 1" for x, y, z in CORNERS)]
    rows += [" ".join(map(str, [4, *face, 255, 0, 0])) for face in SQUARES]
    path.write_text("\n".join(rows))
    assert load(path).volume == pytest.approx(1.0)
    assert losses(path) == ["vertex colours", "face colours"]
    for keyword in ("4OFF", "OFF BINARY"):
        path.write_text("\n".join([keyword, *rows[1:]]))
        with pytest.raises(SignalError, match="save it as a plain OFF"):
            load(path)


def test_stl_attributes_tails_and_several_solids(tmp_path: Path) -> None:
    path = tmp_path / "a.stl"
    save(ring(), path)
    content = bytearray(path.read_bytes())
    assert losses(path) == []
    content[84 + 48] = 9
    path.write_bytes(content + b"\0" * 100)
    assert load(path).volume == pytest.approx(ring().volume, rel=1e-5)
    assert losses(path) == [
        "face colours (attribute bytes)", "100 bytes after the last triangle",
    ]  # fmt: skip
    box = trimesh.creation.box()
    one, two = (
        trimesh.exchange.stl.export_stl_ascii(box.copy().apply_translation([x, 0, 0]))
        for x in (0, 5)
    )
    path.write_text(f"{one}\n{two}")
    assert load(path).volume == pytest.approx(2.0)
    assert losses(path) == ["names of its solids"]
    # a binary file whose text begins as a text file would
    content = bytearray(box.export(file_type="stl"))
    content[:5] = b"solid"
    path.write_bytes(content)
    assert load(path).volume == pytest.approx(1.0)


def test_holes_and_doubled_edges(tmp_path: Path) -> None:
    whole = ball()
    path = stored(Mesh(whole.vertices, whole.faces[8:]), tmp_path / "holed.ply")
    assert losses(path) == SDF().losses(path) == ["holes (they are closed)"]
    assert losses(stored(whole, tmp_path / "whole.ply")) == []
    # two cubes that share an edge: four faces meet there
    cube = load(stored(ball(), tmp_path / "b.ply"))
    box = trimesh.creation.box()
    both = trimesh.util.concatenate([box, box.copy().apply_translation([1, 1, 0])])
    mesh = Mesh(np.array(both.vertices, float), np.array(both.faces, np.int64))
    path = stored(mesh, tmp_path / "edge.ply")
    assert load(path).volume == pytest.approx(2.0) and losses(path) == []
    assert SDF(samples=480).read(path).features.shape[0] == 1 and cube.volume > 0


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_units_come_back(tmp_path: Path, suffix: str, scale: float) -> None:
    mesh = Mesh(ring().vertices * scale, ring().faces)
    path = stored(mesh, tmp_path / f"a{suffix}")
    assert load(path).volume == pytest.approx(ring().volume * scale**3, rel=1e-4)
    assert trimesh.load_mesh(path).volume == pytest.approx(mesh.volume, rel=1e-4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ply(CORNERS, SQUARES, "<").replace(b"1.0", b"1.0\nelement", 1), "invalid header line"),
        (ply(CORNERS, SQUARES, "<").replace(b"double z", b"double y"), "one property twice"),
        (ply(CORNERS, SQUARES, "<").replace(b"double z", b"double w"), "no x, y and z"),
        (ply(CORNERS, [[0, 1, 99]], ">"), "names a vertex that is not there"),
        (ply(CORNERS, SQUARES, "").replace(b"1.0 0.0", b"1.0 zero"), "not a number"),
        (ply(CORNERS, SQUARES, "").replace(b"face 6", b"face 7"), "list|truncated"),
        (ply(CORNERS, SQUARES, "<").replace(b"face 6", b"face 7"), "list|truncated"),
        (ply(CORNERS, MIXED, "<").replace(b"face 7", b"face 9"), "list|truncated"),
        (ply(CORNERS, SQUARES, "<").replace(b"int vertex_ind", b"int strip_ind"), "no triangles"),
        (b"ply\nformat ascii 1.0\nend_header\n", "no x, y and z"),
        (b"ply\nelement vertex 1\nproperty float x\nend_header\n0\n", "no format"),
    ],
)
def test_damaged_ply_files_are_explained(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.ply"
    path.write_bytes(content)
    with pytest.raises(SignalError, match=reason) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: ") and "\n" not in str(refused.value)
