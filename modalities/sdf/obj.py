"""Wavefront OBJ files: vertices and polygons of all their objects."""

import re

import numpy as np

from inrc.errors import SignalError
from inrc_modalities.sdf.polygons import Mesh, Polygons

_MEANINGS = {
    "vn": "vertex normals",
    "vt": "texture coordinates",
    "usemtl": "materials and textures",
    "mtllib": "materials and textures",
    "l": "lines",
    "p": "points",
    "curv": "free-form curves",
    "curv2": "free-form curves",
    "surf": "free-form surfaces",
}


def read(content: bytes) -> Polygons:
    """Read a file; raises SignalError, which does not name it.

    An index counts from 1, or back from the last vertex before it if it is negative.
    """
    vertices: list[list[float]] = []
    index: list[int] = []
    counts: list[int] = []
    losses: dict[str, None] = {}
    names = {"o": 0, "g": 0}
    lines = re.sub(rb"\\\r?\n", b" ", content).decode("latin-1").split("\n")
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split()
        key = words[0] if words else ""
        try:
            if key == "v":
                x, y, z, *more = (float(word) for word in words[1:])
                vertices.append([x, y, z])
                if more:
                    losses["vertex colours" if len(more) > 1 else "vertex weights"] = None
            elif key == "f":
                corners = [int(word.split("/")[0]) for word in words[1:]]
                if 0 in corners:
                    raise ValueError("indices count from 1")
                index += [n - 1 if n > 0 else len(vertices) + n for n in corners]
                counts.append(len(corners))
            elif key in _MEANINGS:
                losses[_MEANINGS[key]] = None
            elif key in names:
                names[key] += 1
        except (ValueError, OverflowError):
            raise SignalError(
                f"invalid line {number}, {line.strip()!r:.60}; it is damaged"
            ) from None
    if max(names.values()) > 1:
        losses["names of its objects and groups"] = None
    return Polygons(
        np.array(vertices, np.float64).reshape(-1, 3),
        np.array(index, np.int64),
        np.array(counts, np.int64),
        tuple(losses),
    )


def write(mesh: Mesh) -> bytes:
    """Vertices and triangles, with as many digits as float64 needs."""
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in mesh.vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (mesh.faces + 1).tolist()]
    return ("\n".join(lines) + "\n").encode()
