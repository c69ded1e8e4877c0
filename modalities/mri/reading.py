"""NIfTI files to numbers; every number of the header is checked before it is used."""

import gzip
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import explained
from inrc_modalities.mri.header import Header
from inrc_modalities.mri.layout import MAX_EXTRA, SIZES, kind

_GZIP = b"\x1f\x8b"
_RATIO = 1032  # deflate makes at most so many bytes of one (zlib, technical details)
_PIECE = 1 << 24
_SLACK = 4096  # bytes of a gzip header and of what follows the voxels


@dataclass(frozen=True)
class Volume:
    """What a file holds.

    Args:
        header: the checked header.
        stored: voxels in the header's shape, in the file's own type and byte order.
        tail: bytes after the last voxel, up to 16 MiB of them.
    """

    header: Header
    stored: NDArray[Any]
    tail: int = 0

    def series(self) -> NDArray[Any]:
        """The stored voxels as T X Y Z, volume by volume."""
        header = self.header
        return np.moveaxis(self.stored.reshape(*header.space, header.volumes, order="F"), -1, 0)

    def real(self, number: int) -> NDArray[np.float64]:
        """Values X Y Z of a volume after slope and intercept; unknown ones stay NaN or infinite."""
        slope, inter = self.header.scaling
        return self.series()[number].astype(np.float64, order="C") * slope + inter


def load(path: Path) -> Volume:
    """Read a .nii or .nii.gz file; its first bytes decide which of them it is.

    Raises:
        SignalError: missing, a folder, truncated, damaged, not a single-file NIfTI, voxels that are
            not single real numbers, an impossible header, a singular affine.
    """
    with _opened(path) as (file, size):
        header = _header(file)
        wanted = math.prod(header.shape) * header.dtype.itemsize
        if wanted > size:
            raise SignalError(
                f"truncated; {header.shape} voxels of {header.dtype.itemsize} bytes do not fit"
            )
        content = np.empty(wanted, np.uint8)
        view = content.data
        at = 0
        while at < wanted:
            got = file.readinto(view[at : at + _PIECE])
            if not got:
                raise SignalError(f"truncated; it has {at} bytes of voxels instead of {wanted}")
            at += got
        tail = 0
        for _ in range(_PIECE // _SLACK):  # to the end, where gzip keeps its checksum
            piece = len(file.read(_SLACK))
            tail += piece
            if not piece:
                break
    return Volume(header, content.view(header.dtype).reshape(header.shape, order="F"), tail)


def load_header(path: Path) -> Header:
    """The header of a file alone."""
    with _opened(path) as (file, _):
        return _header(file)


def _header(file: BufferedIOBase) -> Header:
    block = _exactly(file, 4)
    size = next((n for n in SIZES.values() if n in _both(block)), None)
    if size is None:
        raise SignalError("not a NIfTI file, or its start is damaged")
    block += _exactly(file, size - 4)
    version, order = kind(block)
    return Header.parse(block, _extra(file, block, version, order))


def _both(block: bytes) -> tuple[int, int]:
    """A number in either byte order."""
    return int.from_bytes(block, "little"), int.from_bytes(block, "big")


def _extra(file: BufferedIOBase, block: bytes, version: int, order: str) -> bytes:
    """The bytes between header and voxels."""
    offset = float(
        np.frombuffer(block[108:112], f"{order}f4")[0]
        if version == 1
        else np.frombuffer(block[168:176], f"{order}i8")[0]
    )
    # some programs leave 0 for the only place where voxels can begin
    size = 4 if offset == 0 else offset - SIZES[version]
    if not (size >= 0 and size == int(size)):
        raise SignalError(f"invalid vox_offset {offset:g}; its header is damaged")
    if size > MAX_EXTRA + 4:
        raise SignalError(f"extensions of more than {MAX_EXTRA} bytes; remove them first")
    return _exactly(file, int(size))


def _exactly(file: BufferedIOBase, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        piece = file.read(size - len(content))
        if not piece:
            raise SignalError(f"truncated; it ends after {len(content)} bytes of its header")
        content += piece
    return bytes(content)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BufferedIOBase, int]]:
    """The unpacked content, and how many bytes it can have at most; errors become one line."""
    with explained(path, "a NIfTI file"), path.open("rb") as raw:
        size = path.stat().st_size
        if size == 0:
            raise SignalError("empty; a NIfTI file has a header")
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw, mode="rb") as file:
                yield file, _RATIO * size + _SLACK
        else:
            yield raw, size
