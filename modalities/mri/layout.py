"""The fields of NIfTI headers of versions 1 and 2, and the usual values of these fields."""

from typing import Any, Literal

import numpy as np
from nibabel.nifti1 import header_dtype as FIELDS_1
from nibabel.nifti2 import header_dtype as FIELDS_2
from numpy.typing import NDArray

from inrc.errors import SignalError

Order = Literal["<", ">"]
FIELDS = {1: FIELDS_1, 2: FIELDS_2}
SIZES = {1: 348, 2: 540}
"""Bytes of a header, and the number that its first field holds."""
MAGIC = {1: b"n+1\0", 2: b"n+2\0\r\n\x1a\n"}
PAIR = (b"ni1", b"ni2")
"""Magic of a header whose voxels are in a second file."""
TYPES: dict[int, str] = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8",
    1280: "u8",
}  # fmt: skip
"""NIfTI's code of every data type that holds one real number, as numpy names it."""
MAX_EXTRA = 1 << 16
"""Bytes of extensions that are carried along; larger ones would dwarf the compressed volume."""
MAX_VOXELS = 1 << 31
"""Most voxels of a file: 8 GiB in memory as float32."""
MAX_EDGE = {1: (1 << 15) - 1, 2: MAX_VOXELS}
"""Longest axis: NIfTI-1 counts it in 16 bits."""
REFUSED_TYPES = {1: "single bits", 32: "complex voxels", 128: "RGB voxels", 1536: "128-bit floats",
          1792: "complex voxels", 2048: "complex voxels", 2304: "RGBA voxels"}  # fmt: skip
"""NIfTI's codes of other data types, for messages."""


def numbered(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """The fields of a header by their place in it: shorter than their names."""
    return [(str(number), name) for number, name in enumerate(names)]


def kind(block: bytes) -> tuple[int, Order]:
    """Version and byte order of the header that begins like this.

    Raises:
        SignalError: it does not begin a NIfTI file that holds its own voxels.
    """
    orders: tuple[Order, Order] = ("<", ">")
    for order in orders:
        first = int.from_bytes(block[:4], "little" if order == "<" else "big")
        for version, size in SIZES.items():
            if first == size and len(block) >= size:
                place = 344 if version == 1 else 4
                magic = block[place : place + len(MAGIC[version])]
                if magic == MAGIC[version]:
                    return version, order
                if magic[:3] in PAIR:
                    raise SignalError(
                        "half of a pair of .hdr and .img; save the volume as one .nii file"
                    )
                raise SignalError("not a NIfTI file (an ANALYZE header?); save it as .nii first")
    raise SignalError("not a NIfTI file, or its start is damaged")


def canonical(version: int, shape: tuple[int, ...], code: int) -> NDArray[Any]:
    """The header that most files of this shape and type differ least from.

    It must never change: stored files differ from it.
    """
    fields = np.zeros((), FIELDS[version].newbyteorder("<"))
    fields["sizeof_hdr"] = SIZES[version]
    fields["magic"] = MAGIC[version]
    fields["dim"] = [len(shape), *shape, *[1] * (7 - len(shape))]
    fields["pixdim"] = 1.0
    fields["datatype"] = code
    fields["bitpix"] = 8 * np.dtype(TYPES[code]).itemsize
    fields["vox_offset"] = SIZES[version] + 4
    fields["scl_slope"] = 1.0
    fields["xyzt_units"] = 10  # millimetres and seconds
    if version == 1:
        fields["regular"] = b"r"
    return fields
