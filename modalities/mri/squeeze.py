"""Lossless bytes of masks and labels: raw LZMA2, whose size is known before it is unpacked."""

import lzma

from inrc.errors import SignalError

_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6}]


def compress(data: bytes) -> bytes:
    """Pack bytes."""
    return lzma.compress(data, lzma.FORMAT_RAW, filters=_FILTERS)


def decompress(data: bytes, size: int) -> bytes:
    """Unpack so many bytes, and allocate no more.

    Raises:
        SignalError: damaged bytes, or fewer or more of them.
    """
    try:
        worker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
        unpacked = worker.decompress(data, size + 1)
    except lzma.LZMAError:
        unpacked = b""
    if len(unpacked) != size:
        raise SignalError("mri: invalid packed voxels; the file is damaged")
    return unpacked
