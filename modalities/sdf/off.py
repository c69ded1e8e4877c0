"""OFF files: text, with or without colours, normals and texture coordinates (Geomview)."""

import re

import numpy as np

from inrc.errors import SignalError
from inrc_modalities.sdf.polygons import Mesh, Polygons

_KEYWORD = re.compile(r"(ST)?(C)?(N)?(4)?(n)?OFF")
_MEANINGS = ("texture coordinates", "vertex colours", "vertex normals")


def read(content: bytes) -> Polygons:
    """Read a file; raises SignalError, which does not name it."""
    text = content.decode("latin-1")
    rows = [words for line in text.split("\n") if (words := line.split("#")[0].split())]
    if not rows:
        raise SignalError("not an OFF file")
    losses: list[str] = []
    kind = _KEYWORD.fullmatch(rows[0][0])
    if kind is not None:
        if kind[4] or kind[5] or rows[0][1:2] == ["BINARY"]:
            raise SignalError("binary, or not in three dimensions; save it as a plain OFF file")
        losses += [name for name, there in zip(_MEANINGS, kind.groups(), strict=False) if there]
        rows[0] = rows[0][1:]
        rows = rows if rows[0] else rows[1:]
    try:
        vertices, faces = (int(word) for word in rows[0][:2])
        if vertices < 0 or faces < 0 or vertices + faces + 1 > len(rows):
            raise SignalError(f"truncated; it declares {vertices} vertices and {faces} faces")
        places = np.array([[float(word) for word in row[:3]] for row in rows[1 : 1 + vertices]])
        named = rows[1 + vertices : 1 + vertices + faces]
        counts = np.array([int(row[0]) for row in named], np.int64)
        index = [[int(word) for word in row[1 : 1 + int(row[0])]] for row in named]
    except (ValueError, IndexError, OverflowError):
        raise SignalError("not an OFF file, or damaged: a value is not a number") from None
    if any(len(each) != count for each, count in zip(index, counts.tolist(), strict=True)):
        raise SignalError("a face has fewer corners than it declares; it is damaged")
    if any(len(row) > 1 + count for row, count in zip(named, counts.tolist(), strict=True)):
        losses.append("face colours")
    if any(len(row) > 3 for row in rows[1 : 1 + vertices]) and not losses:
        losses.append("vertex colours")
    flat = np.array([corner for each in index for corner in each], np.int64)
    return Polygons(places.reshape(-1, 3), flat, counts, tuple(losses))


def write(mesh: Mesh) -> bytes:
    """Text, with as many digits as float64 needs."""
    lines = ["OFF", f"{len(mesh.vertices)} {len(mesh.faces)} 0"]
    lines += [f"{x!r} {y!r} {z!r}" for x, y, z in mesh.vertices.tolist()]
    lines += [f"3 {a} {b} {c}" for a, b, c in mesh.faces.tolist()]
    return ("\n".join(lines) + "\n").encode()
