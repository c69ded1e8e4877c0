"""The header of a NIfTI file: to the bytes of a file, and to the few fields that are stored.

What is stored is the difference to the header that shape and data type alone would give, field by
field, so that usual headers cost little and unusual ones come back to the last bit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.mri.layout import (
    FIELDS,
    MAX_EDGE,
    MAX_EXTRA,
    MAX_VOXELS,
    REFUSED_TYPES,
    SIZES,
    TYPES,
    Order,
    canonical,
    kind,
    numbered,
)

_MM = {1: 1000.0, 3: 0.001}  # xyzt_units & 7: metres, micrometres; unknown is taken for millimetres
_SINGULAR = 1e-6  # share of the volume of a voxel with right angles: float32's own accuracy


@dataclass(frozen=True)
class Header:
    """A checked header.

    Args:
        version: 1 or 2.
        order: byte order of the file, `<` or `>`.
        fields: the header as one record, in little-endian order.
        extra: what lies between header and voxels: a flag of four bytes, then extensions.
    """

    version: int
    order: Order
    fields: NDArray[Any]
    extra: bytes

    @classmethod
    def parse(cls, block: bytes, extra: bytes) -> "Header":
        """Check the bytes of a header, and take the extensions that follow it.

        Raises:
            SignalError: one that no file of real voxels can have, in one line without its name.
        """
        version, order = kind(block)
        stored = np.frombuffer(block, FIELDS[version].newbyteorder(order), 1)[0]
        fields = np.array(stored, FIELDS[version].newbyteorder("<"))
        header = cls(version, order, fields, extra)
        header.check()
        return header

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> "Header":
        """Check what a meta declares, and make the header of it.

        Raises:
            SignalError: no header, or one that no file of real voxels can have.
        """
        try:
            version, order, shape = meta["version"], meta["order"], meta["shape"]
            code, changed, extra = meta["datatype"], meta["fields"], meta["extra"]
            if type(version) is not int or version not in SIZES or order not in ("<", ">"):
                raise ValueError("version")
            if not 1 <= len(shape) <= 7 or not all(
                type(n) is int and 0 < n <= MAX_EDGE[version] for n in shape
            ):
                raise ValueError("shape")
            if type(code) is not int or code not in TYPES or not isinstance(extra, bytes):
                raise ValueError("datatype")
            fields = canonical(version, tuple(shape), code)
            names = fields.dtype.names or ()
            for number, value in changed.items():
                name = dict(numbered(names))[number]
                size = fields.dtype[name].itemsize
                if not isinstance(value, bytes) or len(value) > size:
                    raise ValueError("fields")
                kind_ = fields.dtype[name]
                base, inner = kind_.subdtype or (kind_, ())
                whole = np.frombuffer(value.ljust(size, b"\0"), base)
                fields[name] = whole.reshape(inner) if inner else whole[0]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SignalError(f"mri: invalid header ({error!r:.80}); the file is damaged") from None
        header = cls(version, order, fields, extra)
        header.check()
        if header.shape != tuple(shape):
            raise SignalError("mri: two shapes in one header; the file is damaged")
        return header

    @property
    def meta(self) -> dict[str, Any]:
        """What must be stored to make this header again; plain values."""
        shape, code = self.shape, int(self.fields["datatype"])
        usual = canonical(self.version, shape, code)
        changed = {
            number: self.fields[name].tobytes().rstrip(b"\0")
            for number, name in numbered(self.fields.dtype.names or ())
            if self.fields[name].tobytes() != usual[name].tobytes()
        }
        return {
            "shape": list(shape),
            "datatype": code,
            "version": self.version,
            "order": self.order,
            "fields": changed,
            "extra": self.extra,
        }

    @property
    def start(self) -> bytes:
        """Header and extensions as they stand at the start of a file."""
        return self.fields.astype(self.fields.dtype.newbyteorder(self.order)).tobytes() + self.extra

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along every axis that the file has."""
        return tuple(int(n) for n in self.fields["dim"][1 : 1 + int(self.fields["dim"][0])])

    @property
    def space(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        x, y, z = (*self.shape, 1, 1)[:3]
        return x, y, z

    @property
    def volumes(self) -> int:
        """How many volumes follow each other: times, directions, echoes."""
        return math.prod(self.shape[3:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a voxel in the file."""
        return np.dtype(TYPES[int(self.fields["datatype"])]).newbyteorder(self.order)

    @property
    def scaling(self) -> tuple[float, float]:
        """Slope and intercept from stored to real values; a slope of 0 or NaN means none."""
        slope, inter = float(self.fields["scl_slope"]), float(self.fields["scl_inter"])
        return (slope, inter) if slope and math.isfinite(slope) else (1.0, 0.0)

    def affine(self) -> NDArray[np.float64]:
        """Voxel numbers to places, 3 by 4: the sform if it is set, else the qform, else sizes."""
        if int(self.fields["sform_code"]) > 0:
            return np.stack([self.fields[f"srow_{a}"] for a in "xyz"]).astype(np.float64)
        if int(self.fields["qform_code"]) > 0:
            return self.qform()
        return np.hstack([np.diag(self._zooms()), np.zeros((3, 1))])

    def qform(self) -> NDArray[np.float64]:
        """The transform of quaternion, offset and voxel sizes (nifti1.h, method 2)."""
        b, c, d = (float(self.fields[f"quatern_{k}"]) for k in "bcd")
        long = b * b + c * c + d * d
        if long > 1.0:  # by rounding: a half turn
            b, c, d = (k / math.sqrt(long) for k in (b, c, d))
        a = math.sqrt(max(1.0 - b * b - c * c - d * d, 0.0))
        turn = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
            ]
        )
        flip = -1.0 if float(self.fields["pixdim"][0]) < 0 else 1.0
        offset = [float(self.fields[f"qoffset_{k}"]) for k in "xyz"]
        sizes = [*self._zooms()[:2], flip * self._zooms()[2]]
        return np.column_stack([turn * sizes, offset])

    def sizes(self) -> tuple[float, float, float]:
        """Edges of a voxel in millimetres, along x, y and z."""
        unit = _MM.get(int(self.fields["xyzt_units"]) & 7, 1.0)
        affine = self.affine()
        x, y, z = (unit * math.sqrt(sum(float(v) ** 2 for v in affine[:, k])) for k in range(3))
        return x, y, z

    def check(self) -> None:
        """Refuse what no volume of real numbers can have.

        Raises:
            SignalError: in one line that does not name the file.
        """
        dim = self.fields["dim"]
        if not 2 <= int(dim[0]) <= 7:
            raise SignalError(f"{int(dim[0])} dimensions; a volume has 2 to 7")
        shape = self.shape
        if min(shape) < 1:
            raise SignalError(f"a shape of {shape}; every axis needs at least one voxel")
        if math.prod(shape) > MAX_VOXELS:
            raise SignalError(f"a shape of {shape}; at most {MAX_VOXELS} voxels can be read")
        code = int(self.fields["datatype"])
        if code not in TYPES:
            raise SignalError(
                f"{REFUSED_TYPES.get(code, f'voxels of unknown type {code}')}; only real numbers "
                "can be compressed; save magnitudes, or one channel per file"
            )
        if int(self.fields["bitpix"]) != 8 * np.dtype(TYPES[code]).itemsize:
            raise SignalError(
                f"{int(self.fields['bitpix'])} bits per voxel of type {code}; its header is damaged"
            )
        offset = float(self.fields["vox_offset"])
        if offset != SIZES[self.version] + len(self.extra) and not (offset == 0 and self.plain):
            raise SignalError(f"invalid vox_offset {offset:g}; its header is damaged")
        if len(self.extra) > MAX_EXTRA + 4:
            raise SignalError(f"extensions of more than {MAX_EXTRA} bytes; remove them first")
        affine = self.affine()
        corner = affine[:, :3]
        edges = np.sqrt((corner**2).sum(0))
        if not np.isfinite(affine).all() or abs(np.linalg.det(corner)) <= _SINGULAR * edges.prod():
            raise SignalError(
                "a singular affine, so that its voxels have no volume; correct its sform, qform or "
                "voxel sizes"
            )

    @property
    def plain(self) -> bool:
        """Nothing but the flag of four bytes stands between header and voxels."""
        return len(self.extra) == 4

    def _zooms(self) -> list[float]:
        sizes = [abs(float(n)) for n in self.fields["pixdim"][1:4]]
        # many programs leave 0 for axes that the file does not use
        return [
            n or 1.0 if axis >= int(self.fields["dim"][0]) else n for axis, n in enumerate(sizes)
        ]
