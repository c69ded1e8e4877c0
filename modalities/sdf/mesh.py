"""Mesh files: to triangles, and back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import atomic_write, explained
from inrc_modalities.sdf import obj, off, ply, stl
from inrc_modalities.sdf.polygons import Mesh, Polygons

__all__ = ["SUFFIXES", "Mesh", "load", "losses", "save"]


@dataclass(frozen=True)
class Format:
    """How files of a suffix are read and written."""

    read: Callable[[bytes], Polygons]
    write: Callable[[Mesh], bytes]


FORMATS = {
    ".ply": Format(ply.read, ply.write),
    ".obj": Format(obj.read, obj.write),
    ".stl": Format(stl.read, stl.write),
    ".off": Format(off.read, off.write),
}
SUFFIXES = tuple(FORMATS)


def load(path: Path) -> Mesh:
    """Read a mesh file as triangles; equal vertices become one, empty triangles are dropped.

    Several objects of a file are taken together.

    Raises:
        SignalError: missing, of another kind, truncated, without faces, with coordinates that are
            not finite or indices out of range, or flat.
    """
    with explained(path, "a mesh file"):
        return _joined(_polygons(path))


def losses(path: Path) -> list[str]:
    """What a mesh file holds beside its surface, in short phrases."""
    polygons, mesh = _polygons(path), load(path)
    edges = np.sort(np.concatenate([mesh.faces[:, [k, (k + 1) % 3]] for k in range(3)]), axis=1)
    open_ = bool((np.unique(edges, axis=0, return_counts=True)[1] == 1).any())
    return [*polygons.losses, *(["holes (they are closed)"] if open_ else [])]


def save(mesh: Mesh, path: Path) -> None:
    """Write a mesh file, in the format that the suffix names; complete, or not at all.

    Raises:
        SignalError: unknown suffix, or a failing disk.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use one of {', '.join(SUFFIXES)}")
    try:
        with atomic_write(path, overwrite=True) as part:
            part.write_bytes(form.write(mesh))
    except OSError as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None


def _polygons(path: Path) -> Polygons:
    """What a file states; every error is one line that names it."""
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise SignalError(f"{path}: not a mesh file; use one of {', '.join(SUFFIXES)}")
    with explained(path, "a mesh file"):
        content = path.read_bytes()
        if not content:
            raise SignalError("empty; a mesh file has vertices and faces")
        return form.read(content)


def _joined(polygons: Polygons) -> Mesh:
    """Triangles between different vertices."""
    faces = polygons.triangles()
    if len(faces) == 0:
        raise SignalError("no triangles in it; truncated, or points, which have no inside")
    used, index = np.unique(faces, return_inverse=True)
    vertices = polygons.vertices[used]
    if not np.isfinite(vertices).all():
        raise SignalError("vertices that are not finite numbers; remove their faces")
    vertices, same = np.unique(vertices, axis=0, return_inverse=True)
    faces = _distinct(same.reshape(-1)[index].reshape(-1, 3))
    extent = vertices.max(0) - vertices.min(0)
    if len(faces) == 0 or extent.min() <= 0:
        sides = " x ".join(f"{side:g}" for side in extent)
        raise SignalError(f"flat ({sides}), or all of its triangles are; it has no inside")
    used, index = np.unique(faces, return_inverse=True)
    return Mesh(vertices[used], index.reshape(-1, 3))


def _distinct(faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """The triangles F 3 that have three different corners."""
    a, b, c = faces.T
    return faces[(a != b) & (b != c) & (c != a)]
