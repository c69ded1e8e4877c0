"""Triangle meshes: files to vertices and faces, and back."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc.files import atomic_write

SUFFIXES = (".ply", ".obj", ".stl", ".off")


@dataclass(frozen=True)
class Mesh:
    """Vertices V 3 (float64, finite) and triangles F 3 (int64, within range)."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest corner of the box around it."""
        return self.vertices.min(0), self.vertices.max(0)

    @property
    def diagonal(self) -> float:
        """Length of the diagonal of that box."""
        low, high = self.bounds
        return float(np.linalg.norm(high - low))

    @property
    def volume(self) -> float:
        """Signed volume, positive if the faces look outward (divergence theorem)."""
        corners = (self.vertices - self.vertices.mean(0))[self.faces]
        return float(np.linalg.det(corners).sum() / 6.0)


def load(path: Path) -> Mesh:
    """Read a mesh file; equal vertices become one, empty triangles are dropped.

    Several objects of a file are taken together; colours, textures and normals are not kept.

    Raises:
        SignalError: missing, of another kind, truncated, without faces, with coordinates that are
            not finite or indices out of range, or flat.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SignalError(f"{path}: not a mesh file; use one of {', '.join(SUFFIXES)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SignalError(f"{path}: cannot be read ({error.strerror})") from None
    if not content:
        raise SignalError(f"{path}: an empty file, not a mesh")
    if not _complete(content, suffix):
        raise SignalError(f"{path}: truncated; it ends before all that it declares")
    try:
        # without a resolver, pictures and materials beside the file are not looked for
        scene = trimesh.load_scene(io.BytesIO(content), file_type=suffix[1:], process=False)
        found = scene.to_mesh() if scene.geometry else None
    except Exception as error:  # whatever trimesh's parsers trip over is the file's fault
        reason = one_line(error)[:120]
        raise SignalError(
            f"{path}: cannot be read as {suffix[1:].upper()} ({reason}); damaged, or not triangles"
        ) from None
    if found is None or len(found.faces) == 0:
        raise SignalError(f"{path}: no triangles in it; truncated, or points, which have no inside")
    vertices = np.array(found.vertices, np.float64).reshape(-1, 3)
    faces = np.array(found.faces, np.int64).reshape(-1, 3)
    return _checked(path, vertices, faces)


def _complete(content: bytes, suffix: str) -> bool:
    """Whether a text that declares its length, or its end, has it; trimesh does not look.

    An OBJ declares neither.
    """
    if suffix == ".off":
        lines = [line for line in content.split(b"\n") if line.strip() and line[:1] != b"#"]
        if not lines:
            return False
        words = b" ".join(lines[:2]).split()[1:3]
        wanted = sum(int(word) for word in words if word.isdigit())
        return wanted + (1 if len(lines[0].split()) > 1 else 2) <= len(lines)
    if suffix == ".stl" and content[:5] == b"solid" and b"\0" not in content:
        return b"endsolid" in content
    if suffix == ".ply" and b"format ascii" in content[:200]:
        head, end, body = content.partition(b"end_header")
        rows = [line.split() for line in head.splitlines() if line.startswith(b"element ")]
        counts = [int(row[2]) for row in rows if len(row) == 3 and row[2].isdigit()]
        return bool(end) and sum(counts) <= len(body.split(b"\n")) - 1
    return True


def _checked(path: Path, vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> Mesh:
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise SignalError(f"{path}: faces name vertices that are not there; the file is damaged")
    used, index = np.unique(faces, return_inverse=True)
    if not np.isfinite(vertices[used]).all():
        raise SignalError(f"{path}: vertices that are not finite numbers; remove their faces")
    vertices, same = np.unique(vertices[used], axis=0, return_inverse=True)
    faces = same.reshape(-1)[index].reshape(-1, 3)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    extent = vertices.max(0) - vertices.min(0)
    if len(faces) == 0 or extent.min() <= 0:
        sides = " x ".join(f"{side:g}" for side in extent)
        raise SignalError(f"{path}: flat ({sides}), or no triangle of it is one; it has no inside")
    used, index = np.unique(faces, return_inverse=True)
    return Mesh(vertices[used], index.reshape(-1, 3))


def save(mesh: Mesh, path: Path) -> None:
    """Write a mesh file, in the format that the suffix names; complete, or not at all.

    Raises:
        SignalError: unknown suffix, or a failing disk.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use one of {', '.join(SUFFIXES)}")
    if suffix == ".ply":
        content = _ply(mesh)
    else:
        made = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        export: Any = made.export(file_type=suffix[1:])
        content = export.encode() if isinstance(export, str) else bytes(export)
    try:
        with atomic_write(path, overwrite=True) as part:
            part.write_bytes(content)
    except OSError as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None


def _ply(mesh: Mesh) -> bytes:
    """Binary PLY; in double precision only where a mesh far from the origin needs it."""
    reach = float(np.abs(mesh.vertices).max())
    # float32 has 24 bits: 2^-17 of the diagonal is half a percent of a cell at 1024^3
    kind = "float" if reach * 2.0**-24 <= mesh.diagonal * 2.0**-17 else "double"
    head = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(mesh.vertices)}\n"
        + "".join(f"property {kind} {axis}\n" for axis in "xyz")
        + f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.empty(len(mesh.faces), np.dtype([("count", "u1"), ("index", "<i4", (3,))]))
    rows["count"], rows["index"] = 3, mesh.faces
    points = mesh.vertices.astype("<f4" if kind == "float" else "<f8")
    return head.encode() + points.tobytes() + rows.tobytes()
