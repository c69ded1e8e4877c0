"""The codecs that a user of fields on the globe would pick instead, slice by slice.

One slice is one variable at one time on one level. The bytes are, for each variable in the order
of the model: what is missing (one byte 0 if nothing is), and for each slice its length as a varint
and its stream. A slice without any known value has length 0. Coordinates, attributes and names
are not counted and come from the original, as nothing else does: none of these codecs keeps them.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc.signal import Baseline
from inrc.varint import read_varint, write_varint
from inrc_modalities.era5 import masks, reading, sphere, storage
from inrc_modalities.era5.copying import copy
from inrc_modalities.era5.header import LIMIT
from inrc_modalities.era5.reading import Options
from inrc_modalities.era5.slices import CODECS, SliceCodec
from inrc_modalities.era5.survey import survey
from inrc_modalities.era5.values import Packing

SHARES = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
"""Errors allowed, as a share of the range of a variable on its level in the file."""
COARSE = {"zfp": (4.0, 2.0, 1.0, 0.5)}
"""Further ones for codecs whose errors stay far below what is allowed."""


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
        with storage.opened(original, groups=True) as dataset:
            name = survey(dataset, original).lon
            around = sphere.wraps(storage.raw(dataset[name]).astype(np.float64))
        out = []
        for layer in reading.layers(original, self._names(), self.options):
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
        try:
            fields = self._decoded(_Bytes(data), original)
        except SignalError:
            raise
        except Exception as error:
            # decoders raise almost anything on damaged bytes
            reason = one_line(error)
            raise SignalError(f"{decoded}: the bytes are damaged ({reason:.80})") from None
        copy(original, decoded, fields)

    def _decoded(self, data: "_Bytes", original: Path) -> dict[str, NDArray[Any]]:
        fields = {}
        with storage.opened(original, groups=True) as dataset:
            surveyed = survey(dataset, original, self.options.vertical)
            chosen = reading.chosen(surveyed, self._names(), original, self.options)
            grid = [dataset[name].dimensions[0] for name in (surveyed.lat, surveyed.lon)]
            for field in chosen:
                variable = dataset[field.name]
                level = [] if field.level is None else [field.level]
                order = [*chosen[0].lead, *level, *grid]
                sizes = [len(dataset.dimensions[dim]) for dim in order]
                if prod(sizes) > LIMIT:
                    raise SignalError(f"{original}: {prod(sizes)} values; {LIMIT} at most")
                height, width = sizes[-2:]
                levels = sizes[-3] if level else 1
                shape = (prod(sizes[:-2]) // levels, levels, height, width)
                packing = Packing.of(storage.describe(variable, str(original)))
                stored = self._field(data, shape, packing).reshape(sizes)
                fields[field.name] = stored.transpose(
                    [order.index(dim) for dim in variable.dimensions]
                )
        data.end()
        return fields

    def _field(
        self, data: "_Bytes", shape: tuple[int, int, int, int], packing: Packing
    ) -> NDArray[Any]:
        """Stored numbers P L H W of one variable."""
        parts, levels, height, width = shape
        size = (parts, levels, height * width)
        missing = _missing(data, size, packing.dtype.itemsize)
        values = np.zeros(shape)
        for level in range(levels):
            for part in range(parts):
                stream = data.read(data.number())
                if stream:
                    values[part, level] = self.codec.decode(stream, (height, width))
        stored = packing.pack(values).reshape(size)
        if missing is not None:
            kinds, codes = missing
            stored = masks.restore(stored, kinds, np.broadcast_to(codes, size))
        return stored

    def _names(self) -> list[str] | None:
        return None if self.variables is None else list(self.variables)


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


def _masked(layer: reading.Layer) -> bytes:
    """Where nothing is known, packed, and which numbers said so."""
    if not layer.kinds:
        return b"\0"
    parts, levels = layer.codes.shape[:2]
    packed = masks.pack(layer.kinds, layer.codes.reshape(parts, levels, -1))
    shared = packed["shared"]
    head = struct.pack("<BB", len(layer.kinds), shared[0] + 2 * shared[1])
    rows = bytes(packed["rows"])
    return head + b"".join(layer.kinds) + write_varint(len(rows)) + rows


def _missing(
    data: "_Bytes", size: tuple[int, int, int], itemsize: int
) -> tuple[list[bytes], NDArray[np.uint8]] | None:
    count = data.read(1)[0]
    if not count:
        return None
    flags = data.read(1)[0]
    kinds = [data.read(itemsize) for _ in range(count)]
    packed = {
        "kinds": kinds,
        "shared": [bool(flags & 1), bool(flags & 2)],
        "rows": data.read(data.number()),
    }
    return masks.unpack(packed, size, itemsize)


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
