"""The codecs that a user of fields on the globe would pick instead, slice by slice.

One slice is one variable at one time on one level. The bytes are, for each variable in the order
of the model: what is missing (one byte 0 if nothing is), and for each slice its length as a varint
and its stream. A slice without any known value has length 0. Coordinates, attributes and names
are not counted and come from the original, as nothing else does: none of these codecs keeps them.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc.signal import Baseline
from inrc.varint import read_varint, write_varint
from inrc_modalities.era5 import masks
from inrc_modalities.era5.describing import Carrying, File, read_file
from inrc_modalities.era5.header import Header
from inrc_modalities.era5.reading import Layer, Options
from inrc_modalities.era5.slices import CODECS, SliceCodec
from inrc_modalities.era5.writing import write

SHARES = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
"""Errors allowed, as a share of the range of a variable on its level in the file."""
COARSE = {"zfp": (4.0, 2.0, 1.0, 0.5)}
"""Further ones for codecs whose errors stay far below what is allowed."""
_MAX_CARRIED = 1 << 40  # bytes: other variables are not counted, and all of them come back


@dataclass(frozen=True)
class Sliced:
    """All slices of the fields of a model, each through one codec.

    Args:
        codec: of one slice.
        variables: names of the fields; None takes those of most dimensions.
        options: how files are read.
    """

    codec: SliceCodec
    variables: tuple[str, ...] | None
    options: Options

    def encode(self, original: Path, share: float) -> bytes:
        """All fields of a file, with errors up to a share of their range.

        Raises:
            SignalError: a file that the model could not read either.
        """
        file = self._file(original)
        around = Header.of(file.meta).wraps
        out = []
        for layer in file.layers:
            parts, levels = layer.values.shape[:2]
            out.append(_masked(layer))
            known = np.where(layer.unknown, np.nan, layer.values)
            filled = masks.fill(layer.values, layer.unknown, around, 0.0)
            for level in range(levels):
                some = np.isfinite(known[:, level])
                width = float(np.ptp(known[:, level][some])) if some.any() else 0.0
                for part in range(parts):
                    field = np.ascontiguousarray(filled[part, level], np.float32)
                    empty = layer.unknown[part, level].all()
                    data = b"" if empty else self.codec.encode(field, share * (width or 1.0))
                    out.append(write_varint(len(data)) + data)
        return b"".join(out)

    def decode(self, data: bytes, original: Path, decoded: Path) -> None:
        """Write the original's file with the values that the bytes say.

        Raises:
            SignalError: bytes that are damaged, or of another file.
        """
        file = self._file(original)
        names = [layer.field.name for layer in file.layers]
        try:
            header, fields = self._decoded(_Bytes(data), Header.of(file.meta), names)
        except Exception as error:
            # decoders raise almost anything on damaged bytes
            reason = one_line(error)
            raise SignalError(f"{decoded}: the bytes are damaged ({reason:.80})") from None
        write(header, fields, decoded)

    def _decoded(
        self, data: "_Bytes", header: Header, names: list[str]
    ) -> tuple[Header, dict[str, NDArray[np.float64]]]:
        """The header with the masks that the bytes say, and the values P L M of all fields."""
        variables, fields = dict(header.meta["variables"]), {}
        height, width = len(header.lat), len(header.lon)
        for name in names:
            parts, levels = header.parts, header.levels(name)
            values = np.zeros((parts, levels, height, width))
            size = (parts, levels, height * width)
            itemsize = np.dtype(variables[name]["dtype"]).itemsize
            variables[name] = {**variables[name], "mask": _missing(data, size, itemsize)}
            for level in range(levels):
                for part in range(parts):
                    stream = data.read(data.number())
                    if stream:
                        values[part, level] = self.codec.decode(stream, (height, width))
            fields[name] = values.reshape(size)
        data.end()
        return Header.of({**header.meta, "variables": variables}), fields

    def _file(self, path: Path) -> File:
        names = None if self.variables is None else list(self.variables)
        return read_file(path, names, self.options, Carrying(_MAX_CARRIED, drop=True))


def baselines(variables: Sequence[str] | None, options: Options) -> list[Baseline]:
    """JPEG 2000, zfp, SZ3 and SPERR.

    Args:
        variables: names of the fields of the model; None takes those of most dimensions.
        options: how the model reads files.
    """
    names = None if variables is None else tuple(variables)
    made = [Sliced(codec, names, options) for codec in CODECS]
    return [
        Baseline(
            each.codec.name, "of the range", COARSE.get(each.codec.name, ()) + SHARES,
            each.encode, each.decode,
        )
        for each in made
    ]  # fmt: skip


def _masked(layer: Layer) -> bytes:
    """Where nothing is known, packed, and which numbers said so."""
    if not layer.kinds:
        return b"\0"
    parts, levels = layer.codes.shape[:2]
    packed = masks.pack(layer.kinds, layer.codes.reshape(parts, levels, -1))
    shared = packed["shared"]
    head = struct.pack("<BB", len(layer.kinds), shared[0] + 2 * shared[1])
    rows = bytes(packed["rows"])
    return head + b"".join(layer.kinds) + write_varint(len(rows)) + rows


def _missing(data: "_Bytes", size: tuple[int, int, int], itemsize: int) -> dict[str, Any] | None:
    """The packed mask that `_masked` wrote, checked."""
    count = data.read(1)[0]
    if not count:
        return None
    flags = data.read(1)[0]
    packed = {
        "kinds": [data.read(itemsize) for _ in range(count)],
        "shared": [bool(flags & 1), bool(flags & 2)],
        "rows": data.read(data.number()),
    }
    masks.unpack(packed, size, itemsize)
    return packed


class _Bytes:
    """Bytes that are read from the front; ValueError if they end too early."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise ValueError("they end too early")
        self.at += count
        return part

    def number(self) -> int:
        """A varint of up to 35 bits."""
        number, self.at = read_varint(self.data, self.at)
        return number

    def end(self) -> None:
        if self.at != len(self.data):
            raise ValueError("something follows after their end")
