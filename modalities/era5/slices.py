"""Ordinary codecs of maps: 2-D slices of float32, each within an error that is given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

Slice = NDArray[np.float32]

_DEEP = 65535
_DECIBELS = (1.0, 999.0)
"""OpenJPEG takes no quality up to 1 dB, and at 1000 it is lossless."""


@dataclass(frozen=True)
class SliceCodec:
    """A codec of one slice.

    Args:
        name: what people call it.
        encode: a slice and the error allowed, in its units, to all bytes but the shape.
        decode: bytes and shape to a slice.
    """

    name: str
    encode: Callable[[Slice, float], bytes]
    decode: Callable[[bytes, tuple[int, int]], Slice]


def _jpeg2000(field: Slice, error: float) -> bytes:
    """Ends of the slice (8 bytes), and 16-bit integers between them in a bare code stream.

    JPEG 2000 aims at a PSNR, so it is the root mean squared error that is bounded.
    """
    low, high = np.float32(field.min()), np.float32(field.max())
    ends = np.array([low, high], "<f4").tobytes()
    if low == high:
        return ends
    width = float(high) - float(low)
    integers = np.rint((field.astype(np.float64) - low) / width * _DEEP).astype(np.uint16)
    quality = float(np.clip(20 * np.log10(width / error), *_DECIBELS))
    encode: Any = imagecodecs.jpeg2k_encode  # its types say int, it takes any number
    # a small slice cannot be halved five times, the default
    halvings = int(np.clip(np.log2(min(field.shape)), 1, 6))
    return ends + bytes(
        encode(integers, quality, codecformat="j2k", reversible=False, resolutions=halvings)
    )


def _jpeg2000_back(data: bytes, shape: tuple[int, int]) -> Slice:
    low, high = np.frombuffer(data[:8], "<f4").astype(np.float64)
    if low == high:
        return np.full(shape, low, np.float32)
    integers = np.asarray(imagecodecs.jpeg2k_decode(data[8:])).astype(np.float64)
    return (low + integers / _DEEP * (high - low)).astype(np.float32)


def _zfp(field: Slice, error: float) -> bytes:
    """Fixed accuracy: zfp rounds the largest error allowed down to a power of two."""
    encode: Any = imagecodecs.zfp_encode  # its types say int, it takes any number
    return bytes(encode(field, error, mode=imagecodecs.ZFP.MODE.FIXED_ACCURACY))


def _zfp_back(data: bytes, shape: tuple[int, int]) -> Slice:
    return np.asarray(imagecodecs.zfp_decode(data), np.float32)


def _sz3(field: Slice, error: float) -> bytes:
    """No value is off by more than the error."""
    return bytes(imagecodecs.sz3_encode(field, mode=imagecodecs.SZ3.MODE.ABS, abs=error))


def _sz3_back(data: bytes, shape: tuple[int, int]) -> Slice:
    return np.asarray(imagecodecs.sz3_decode(data, shape, np.float32))


def _sperr(field: Slice, error: float) -> bytes:
    """Point-wise error: no value is off by more."""
    return bytes(imagecodecs.sperr_encode(field, error, mode=imagecodecs.SPERR.MODE.PWE))


def _sperr_back(data: bytes, shape: tuple[int, int]) -> Slice:
    return np.asarray(imagecodecs.sperr_decode(data), np.float32)


CODECS = (
    SliceCodec("JPEG 2000", _jpeg2000, _jpeg2000_back),
    SliceCodec("zfp", _zfp, _zfp_back),
    SliceCodec("SZ3", _sz3, _sz3_back),
    SliceCodec("SPERR", _sperr, _sperr_back),
)
