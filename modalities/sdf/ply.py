"""PLY files: text and binary of either byte order, any elements and polygons (G. Turk 1994)."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.sdf.plyheader import CORNERS, Element, parse
from inrc_modalities.sdf.polygons import Mesh, Polygons


@dataclass(frozen=True)
class Column:
    """One value of all rows; `counts` are the lengths of lists, None for single numbers."""

    values: NDArray[Any]
    counts: NDArray[np.int64] | None = None


def read(content: bytes) -> Polygons:
    """Read a file.

    Raises:
        SignalError: in one line that does not name the file.
    """
    order, elements, losses, start = parse(content)
    if order:
        tables = _tables(content, start, order, elements)
    else:
        tables = _tables(_numbers(content[start:]), 0, "<", [each.as_text() for each in elements])
    vertex, face = tables.get("vertex", {}), tables.get("face", {})
    if any(axis not in vertex or vertex[axis].counts is not None for axis in "xyz"):
        raise SignalError("its vertices have no x, y and z")
    corners = next((face[name] for name in CORNERS if name in face), None)
    if corners is None or corners.counts is None:
        if "tristrips" in tables:
            raise SignalError("its faces are triangle strips; convert them to triangles first")
        raise SignalError("no triangles in it, only points, which have no inside")
    if not (np.abs(corners.values.astype(np.float64)) < len(vertex["x"].values)).all():
        raise SignalError("a face names a vertex that is not there; it is damaged")
    return Polygons(
        np.stack([vertex[axis].values.astype(np.float64) for axis in "xyz"], axis=1),
        corners.values.astype(np.int64),
        corners.counts,
        tuple(losses),
    )


def write(mesh: Mesh) -> bytes:
    """Binary, in double precision only where a mesh far from the origin needs it."""
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


Tables = dict[str, dict[str, Column]]


def _numbers(text: bytes) -> bytes:
    """The words of a text as float64 numbers."""
    try:
        return np.array([float(word) for word in text.split()], "<f8").tobytes()
    except ValueError:
        raise SignalError("a value that is not a number; it is damaged") from None


def _tables(content: bytes, at: int, order: str, elements: Sequence[Element]) -> Tables:
    tables: Tables = {}
    for element in elements:
        if not element.names or not element.count:
            tables[element.name] = {}
            continue
        # every row takes a byte or more: nothing is made for rows that cannot be there
        if element.count > len(content) - at:
            raise SignalError(f"truncated; it declares {element.count} of {element.name}")
        table, at = _rows(content, at, order, element)
        tables[element.name] = table
    return tables


def _rows(content: bytes, at: int, order: str, element: Element) -> tuple[dict[str, Column], int]:
    """The rows of an element, and where the next one begins."""
    lengths = _lengths(content, at, order, element)
    row = np.dtype(
        [part for n, kinds in enumerate(element.types) for part in _parts(n, kinds, order, lengths)]
    )
    size = row.itemsize * element.count
    if at + size <= len(content):
        rows = np.frombuffer(content, row, element.count, at)
        lists = {n: rows[f"length{n}"] for n in lengths}
        if all((lists[n] == length).all() for n, length in lengths.items()):
            columns = {
                name: Column(
                    rows[str(n)].reshape(-1),
                    np.full(element.count, lengths[n], np.int64) if n in lengths else None,
                )
                for n, name in enumerate(element.names)
            }
            return columns, at + size
    if not lengths:
        raise SignalError(f"truncated; it declares {element.count} of {element.name}")
    return _walked(content, at, order, element)


def _lengths(content: bytes, at: int, order: str, element: Element) -> dict[int, int]:
    """Lengths of the lists of the first row, by the number of their property."""
    lengths = {}
    for number, kinds in enumerate(element.types):
        first = np.dtype(order + kinds[0])
        if len(kinds) == 2:
            lengths[number] = length = _length(content, at, first)
            at += length * np.dtype(kinds[1]).itemsize
        at += first.itemsize
    return lengths


def _length(content: bytes, at: int, kind: np.dtype[Any]) -> int:
    """The length of a list, which the rest of the file has room for."""
    if at + kind.itemsize > len(content):
        raise SignalError("truncated; it ends within a list")
    length = float(np.frombuffer(content, kind, 1, at)[0])
    if not 0 <= length <= len(content) - at:
        raise SignalError(f"a list of {length:g} values, which are not in it; it is damaged")
    return int(length)


def _parts(
    number: int, kinds: tuple[str, ...], order: str, lengths: dict[int, int]
) -> list[tuple[str, str, tuple[int, ...]]]:
    """The fields of a row that hold a property."""
    if len(kinds) == 1:
        return [(str(number), order + kinds[0], ())]
    return [
        (f"length{number}", order + kinds[0], ()),
        (str(number), order + kinds[1], (lengths[number],)),
    ]


def _walked(content: bytes, at: int, order: str, element: Element) -> tuple[dict[str, Column], int]:
    """Rows of lists whose lengths differ, one after the other."""
    kinds = [tuple(np.dtype(order + kind) for kind in types) for types in element.types]
    starts = [array("q") for _ in kinds]
    counts = [array("q") for _ in kinds]
    for _ in range(element.count):
        for number, types in enumerate(kinds):
            length = 1
            if len(types) == 2:
                length = _length(content, at, types[0])
                at += types[0].itemsize
            starts[number].append(at)
            counts[number].append(length)
            at += length * types[-1].itemsize
    if at > len(content):
        raise SignalError(f"truncated; it declares {element.count} of {element.name}")
    raw = np.frombuffer(content, np.uint8)
    columns = {}
    for number, name in enumerate(element.names):
        types, many = kinds[number], np.array(counts[number], np.int64)
        size = types[-1].itemsize
        first = np.array(starts[number], np.int64) - (np.cumsum(many) - many) * size
        places = np.repeat(first, many) + np.arange(many.sum()) * size
        where = places[:, None] + np.arange(size)
        values = np.ascontiguousarray(raw[where]).view(types[-1]).reshape(-1)
        columns[name] = Column(values, many if len(types) == 2 else None)
    return columns, at
