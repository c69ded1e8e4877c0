"""Grids of full and empty voxels: files to arrays, and back."""

import io
import math
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import atomic_write, explained

SUFFIXES = (".npy", ".npz", ".binvox")
MAX_VOXELS = 1 << 27
"""Of a grid: 512^3."""
_RATIO = 1032  # deflate makes at most so many bytes of one (zlib, technical details)


@dataclass(frozen=True)
class Grid:
    """Which voxels are full, X Y Z, and what a file states beside.

    Args:
        full: the voxels.
        kind: type and byte order of the array in .npy and .npz, as NumPy writes them ("<f4").
        name: of the array in .npz.
        place: what .binvox calls translate and scale, (x, y, z, scale).
    """

    full: NDArray[np.bool_]
    kind: str = "|b1"
    name: str = "voxels"
    place: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)


def is_kind(kind: object) -> bool:
    """Whether a value names a type that holds zeros and ones: booleans, integers, floats."""
    return isinstance(kind, str) and _KIND.fullmatch(kind) is not None


_KIND = re.compile(r"\|[biu]1|[<>]([iu][248]|f[248])")


def load(path: Path) -> Grid:
    """Read a grid: one array of three axes of zeros and ones, or a binvox file.

    Raises:
        SignalError: missing, of another kind, damaged, of other values or axes, or too large.
    """
    suffix = path.suffix.lower()
    with explained(path, "a grid of voxels"):
        if suffix == ".binvox":
            return _binvox(path.read_bytes())
        if suffix == ".npy":
            with path.open("rb") as file:
                return _array(file, path.stat().st_size, "voxels")
        if suffix == ".npz":
            with zipfile.ZipFile(path) as packed:
                entries = packed.infolist()
                if len(entries) != 1:
                    raise SignalError(f"{len(entries)} arrays in it; keep one")
                (entry,) = entries
                size = min(entry.file_size, _RATIO * entry.compress_size)
                with packed.open(entry) as unpacked:
                    name = entry.filename.removesuffix(".npy")
                    return _array(cast(io.BufferedIOBase, unpacked), size, name)
    raise SignalError(f"{path}: not a grid of voxels; use one of {', '.join(SUFFIXES)}")


def _array(file: io.BufferedIOBase, size: int, name: str) -> Grid:
    """An array in NumPy's format, whose header is checked before the array is made."""
    numpy: Any = np.lib.format  # without types
    version = numpy.read_magic(file)
    read = numpy.read_array_header_1_0 if version == (1, 0) else numpy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if not is_kind(dtype.str) or len(shape) != 3:
        raise SignalError(f"an array {shape} of {dtype}; voxels are three axes of zeros and ones")
    _check_size(shape)
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > size:
        raise SignalError("truncated; it declares more voxels than it has")
    content = file.read(wanted)
    if len(content) < wanted:
        raise SignalError("truncated; it declares more voxels than it has")
    values = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    if not ((values == 0) | (values == 1)).all():
        raise SignalError("values that are neither 0 nor 1; set a threshold first")
    return Grid(np.ascontiguousarray(values == 1), dtype.str, name)


def _binvox(content: bytes) -> Grid:
    """The format of P. Min's binvox: a text header, then pairs of value and count, y fastest."""
    head, end, body = content.partition(b"data\n")
    lines = [line.split() for line in head.decode("ascii").splitlines()]
    if not end or not lines or lines[0][:1] != ["#binvox"]:
        raise SignalError("not a binvox file")
    entries = {line[0]: line[1:] for line in lines[1:] if line}
    x, z, y = (int(n) for n in entries["dim"])
    _check_size((x, y, z))
    place = [float(n) for n in [*entries.get("translate", "000"), *entries.get("scale", "1")]]
    runs = np.frombuffer(body[: len(body) // 2 * 2], np.uint8).reshape(-1, 2)
    if int(runs[:, 1].sum(dtype=np.int64)) != x * y * z or runs[:, 0].max(initial=0) > 1:
        raise SignalError("damaged; its runs do not add up to its voxels")
    if len(place) != 4 or not all(map(math.isfinite, place)):
        raise SignalError("damaged; its place makes no sense")
    full = np.repeat(runs[:, 0], runs[:, 1]).reshape(x, z, y).transpose(0, 2, 1)
    return Grid(np.ascontiguousarray(full == 1), place=(place[0], place[1], place[2], place[3]))


def _check_size(shape: tuple[int, ...]) -> None:
    if min(shape) < 1 or math.prod(shape) > MAX_VOXELS:
        raise SignalError(f"{' x '.join(map(str, shape))} voxels; 1 to {MAX_VOXELS} can be read")


def save(grid: Grid, path: Path) -> None:
    """Write a grid, in the format that the suffix names; complete, or not at all.

    Raises:
        SignalError: unknown suffix, or a failing disk.
    """
    suffix = path.suffix.lower()
    buffer = io.BytesIO()
    if suffix == ".npy":
        np.save(buffer, grid.full.astype(grid.kind))
    elif suffix == ".npz":
        array = io.BytesIO()
        np.save(array, grid.full.astype(grid.kind))
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
            # no time: the same grid gives the same bytes
            packed.writestr(
                zipfile.ZipInfo(f"{grid.name}.npy"), array.getvalue(), zipfile.ZIP_DEFLATED
            )
    elif suffix == ".binvox":
        buffer.write(_runs(grid))
    else:
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use one of {', '.join(SUFFIXES)}")
    try:
        with atomic_write(path, overwrite=True) as part:
            part.write_bytes(buffer.getvalue())
    except OSError as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None


def _runs(grid: Grid) -> bytes:
    x, y, z = grid.full.shape
    flat = grid.full.transpose(0, 2, 1).reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.concatenate([starts, [len(flat)]]))
    pieces = -(-lengths // 255)  # a run has at most 255 voxels
    counts = np.full(int(pieces.sum()), 255)
    counts[np.cumsum(pieces) - 1] = lengths - 255 * (pieces - 1)
    values = np.repeat(flat[starts], pieces)
    *at, scale = (repr(float(n)) for n in grid.place)
    head = f"#binvox 1\ndim {x} {z} {y}\ntranslate {' '.join(at)}\nscale {scale}\ndata\n"
    return head.encode() + np.stack([values, counts], axis=1).astype(np.uint8).tobytes()
