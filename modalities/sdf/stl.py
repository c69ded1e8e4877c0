"""STL files, text and binary: triangles, each with corners of its own."""

import re

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.sdf.polygons import Mesh, Polygons

_HEAD = 84  # bytes: a text, and the number of triangles
_ROW = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_VERTEX = re.compile(rb"\bvertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)


def read(content: bytes) -> Polygons:
    """Read a file; raises SignalError, which does not name it."""
    declared = int.from_bytes(content[80:_HEAD], "little")
    size = _HEAD + declared * _ROW.itemsize
    if size != len(content) and content.lstrip()[:5].lower() == b"solid":
        return _text(content)
    if len(content) < _HEAD or size > len(content):
        raise SignalError(f"truncated; it declares {declared} triangles, which are not in it")
    rows = np.frombuffer(content, _ROW, declared, _HEAD)
    losses = ["face colours (attribute bytes)"] if rows["attribute"].any() else []
    if size < len(content):
        losses.append(f"{len(content) - size} bytes after the last triangle")
    return _polygons(rows["corners"].astype(np.float64), losses)


def write(mesh: Mesh) -> bytes:
    """Binary, with the normals that the triangles have."""
    rows = np.zeros(len(mesh.faces), _ROW)
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    rows["normal"] = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    rows["corners"] = corners
    return b"inrc".ljust(80) + len(rows).to_bytes(4, "little") + rows.tobytes()


def _text(content: bytes) -> Polygons:
    words = content.lower()
    corners = _VERTEX.findall(content)
    if b"endsolid" not in words or len(corners) != 3 * words.count(b"endfacet"):
        raise SignalError("truncated; a facet or its end is missing")
    try:
        places = np.array([[float(word) for word in corner] for corner in corners])
    except ValueError:
        raise SignalError("a coordinate that is not a number; it is damaged") from None
    several = words.count(b"endsolid") > 1
    return _polygons(places, ["names of its solids"] if several else [])


def _polygons(corners: NDArray[np.float64], losses: list[str]) -> Polygons:
    places = corners.reshape(-1, 3)
    counts = np.full(len(places) // 3, 3, np.int64)
    return Polygons(places, np.arange(len(places), dtype=np.int64), counts, tuple(losses))
