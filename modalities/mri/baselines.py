"""The codecs that a user of volumes would pick instead, with everything that they must store.

Every file begins with what a decoder needs beside the codec's own streams: the header of the NIfTI
file, the range of its values and the voxels that are unknown, packed; the length of each stream.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import imagecodecs
import msgpack
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.signal import Baseline
from inrc_modalities.mri import masks
from inrc_modalities.mri.header import Header
from inrc_modalities.mri.reading import Volume, load
from inrc_modalities.mri.scaling import ends
from inrc_modalities.mri.writing import save

Array = NDArray[Any]
_MORE, _MISS = (0.0, 5.0, 10.0, 15.0, 20.0), 1.0  # dB above what is asked for, and below it
_SMALLEST = 64  # pixels: x265 refuses pictures smaller than a coding tree unit


@dataclass(frozen=True)
class Levels:
    """A file as whole numbers from 0: volumes X Y Z, and what makes the file of them again.

    Whole numbers that span no more than 255 stay as they are; all others are spread over `peak`.
    """

    header: Header
    volumes: list[Array]
    low: float
    high: float
    peak: int
    unknown: list[bytes] | None


def all_of_them() -> list[Baseline]:
    """Slices by three codecs of pictures, volumes by three of fields."""
    decibels, distances = (
        (25.0, 30.0, 35.0, 40.0, 45.0, 50.0),
        (20.0, 12.0, 8.0, 5.0, 3.0, 2.0, 1.0),
    )
    return [
        _baseline("JPEG 2000", "dB", decibels, 16, _j2k, _slices_j2k),
        _baseline("JPEG XL", "distance", distances, 16, _jxl, _slices_jxl),
        _baseline("HEVC", "CRF", (45.0, 40.0, 35.0, 30.0, 25.0, 20.0), 12, _hevc, _slices_hevc),
        _baseline("zfp", "bits", (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0), 16, _zfp, _volume_zfp),
        _baseline("SZ3", "bits", _BITS, 16, _sz3, _volume_sz3),
        _baseline("SPERR", "bits", _BITS, 16, _sperr, _volume_sperr),
    ]


_BITS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)  # no voxel is off by more than peak / 2^bits

Encode = Callable[[NDArray[np.uint16], int, float], list[bytes]]
"""A volume, its largest possible level, and the quality, to streams."""
Decode = Callable[[list[bytes], tuple[int, int, int]], Array]
"""These streams to levels X Y Z."""


def _baseline(
    name: str, unit: str, qualities: tuple[float, ...], depth: int, code: Encode, restore: Decode
) -> Baseline:
    def encode(original: Path, quality: float) -> bytes:
        levels = _levels(load(original), depth, original)
        streams = [code(volume, levels.peak, quality) for volume in levels.volumes]
        head = {
            **levels.header.meta,
            "range": [levels.low, levels.high],
            "peak": levels.peak,
            "unknown": levels.unknown,
            "streams": len(streams[0]),
        }
        return _framed(
            [zlib.compress(msgpack.packb(head), 9), *(s for many in streams for s in many)]
        )

    def decode(data: bytes, original: Path, decoded: Path) -> None:
        pieces = _unframed(data)
        head = msgpack.unpackb(zlib.decompress(pieces[0]))
        header = Header.of(head)
        each = head["streams"]
        volumes = [
            restore(pieces[at : at + each], header.space) for at in range(1, len(pieces), each)
        ]
        low, high = head["range"]
        _write(Levels(header, volumes, low, high, head["peak"], head["unknown"]), decoded)

    return Baseline(name, unit, qualities, encode, decode)


def _levels(file: Volume, depth: int, path: Path) -> Levels:
    header = file.header
    low, high = ends(file.stored, 100.0, path)
    whole = header.dtype.kind in "iu" and high - low <= 255
    peak = 255 if whole else (1 << depth) - 1
    stored = file.series()
    unknown = masks.unknown(stored)
    step = 1.0 if whole else (float(high) - float(low)) / peak or 1.0
    volumes = [
        np.rint(np.nan_to_num((each.astype(np.float64) - low) / step, posinf=0.0, neginf=0.0))
        .clip(0, peak)
        .astype(np.uint16)
        for each in stored
    ]
    packed = None if unknown is None else masks.pack(unknown)
    return Levels(header, volumes, low, low + step * peak, peak, packed)


def _write(levels: Levels, path: Path) -> None:
    header = levels.header
    share = np.stack(levels.volumes).astype(np.float64) / levels.peak
    values = levels.low + share * (levels.high - levels.low)
    if header.dtype.kind in "iu":
        limits = np.iinfo(header.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    stored = values.astype(header.dtype)
    if levels.unknown is not None:
        kinds = masks.unpack(levels.unknown, (header.volumes, *header.space))
        stored[kinds > 0] = masks.values(kinds[kinds > 0])
    whole = np.asfortranarray(np.moveaxis(stored, 0, -1)).reshape(header.shape, order="F")
    save(Volume(header, whole), path)


def _pixels(slice_: NDArray[np.uint16], peak: int) -> Array:
    return np.ascontiguousarray(slice_.astype(np.uint8 if peak <= 255 else np.uint16))


def _axial(volume: NDArray[np.uint16], peak: int) -> Iterable[Array]:
    return (_pixels(volume[:, :, z], peak) for z in range(volume.shape[2]))


def _j2k(volume: NDArray[np.uint16], peak: int, quality: float) -> list[bytes]:
    return [_j2k_slice(s, peak, quality) for s in _axial(volume, peak)]


def _j2k_slice(pixels: Array, peak: int, quality: float) -> bytes:
    """A code stream that has the quality asked for.

    OpenJPEG may spend no bit at all on a slice that is nearly black, which then decodes to grey:
    such slices are given more, in the end all.
    """
    for more in _MORE if np.ptp(pixels) else ():
        level: Any = quality + more  # dB, although the type information has another type
        data = bytes(imagecodecs.jpeg2k_encode(pixels, level, codecformat="j2k", reversible=False))
        error = imagecodecs.jpeg2k_decode(data).astype(np.float64) - pixels
        if np.mean(error**2) <= peak**2 * 10 ** (-(quality - _MISS) / 10):
            return data
    return bytes(imagecodecs.jpeg2k_encode(pixels, 0, codecformat="j2k", reversible=True))


def _slices_j2k(streams: list[bytes], shape: tuple[int, int, int]) -> Array:
    return _stack([imagecodecs.jpeg2k_decode(each) for each in streams], shape)


def _jxl(volume: NDArray[np.uint16], peak: int, quality: float) -> list[bytes]:
    return [bytes(imagecodecs.jpegxl_encode(s, distance=quality)) for s in _axial(volume, peak)]


def _slices_jxl(streams: list[bytes], shape: tuple[int, int, int]) -> Array:
    return _stack([imagecodecs.jpegxl_decode(each) for each in streams], shape)


def _stack(slices: Sequence[Array], shape: tuple[int, int, int]) -> Array:
    return np.stack([np.reshape(each, shape[:2]) for each in slices], axis=-1)


def _zfp(volume: NDArray[np.uint16], peak: int, quality: float) -> list[bytes]:
    tolerance = peak / 2.0**quality
    mode = imagecodecs.ZFP.MODE.FIXED_ACCURACY
    field = np.ascontiguousarray(volume, np.float32)
    return [bytes(imagecodecs.zfp_encode(field, tolerance, mode=mode))]


def _volume_zfp(streams: list[bytes], shape: tuple[int, int, int]) -> Array:
    field: Array = np.asarray(imagecodecs.zfp_decode(streams[0]))
    return field.reshape(shape)


def _sz3(volume: NDArray[np.uint16], peak: int, quality: float) -> list[bytes]:
    field, mode = np.ascontiguousarray(volume, np.float32), imagecodecs.SZ3.MODE.ABS
    return [bytes(imagecodecs.sz3_encode(field, mode=mode, abs=peak / 2.0**quality))]


def _volume_sz3(streams: list[bytes], shape: tuple[int, int, int]) -> Array:
    return np.asarray(imagecodecs.sz3_decode(streams[0], shape, np.float32))


def _sperr(volume: NDArray[np.uint16], peak: int, quality: float) -> list[bytes]:
    field, mode = np.ascontiguousarray(volume, np.float32), imagecodecs.SPERR.MODE.PWE
    return [bytes(imagecodecs.sperr_encode(field, peak / 2.0**quality, mode=mode))]


def _volume_sperr(streams: list[bytes], shape: tuple[int, int, int]) -> Array:
    return np.asarray(imagecodecs.sperr_decode(streams[0])).reshape(shape)


def _hevc(volume: NDArray[np.uint16], peak: int, quality: float) -> list[bytes]:
    """One raw stream of all slices, x265 at its preset medium."""
    form = "gray" if peak <= 255 else "gray12le"
    room = [max(_SMALLEST - n, 0) for n in volume.shape[:2]]
    padded = np.pad(volume, [(0, room[0]), (0, room[1]), (0, 0)], mode="edge")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="hevc") as container:
        stream: Any = container.add_stream("libx265", rate=25)
        stream.height, stream.width = padded.shape[:2]
        stream.pix_fmt = form
        stream.options = {"crf": f"{quality:g}", "x265-params": "log-level=none:info=0:pools=1"}
        for pixels in _axial(padded, peak):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format=form)))
        container.mux(stream.encode(None))
    return [buffer.getvalue()]


def _slices_hevc(streams: list[bytes], shape: tuple[int, int, int]) -> Array:
    with av.open(io.BytesIO(streams[0]), format="hevc") as stream:
        container: Any = stream
        frames = [frame.to_ndarray() for frame in container.decode(video=0)]
    if len(frames) != shape[2]:
        raise SignalError(f"HEVC: {len(frames)} pictures were decoded, not {shape[2]}")
    return np.stack([frame[: shape[0], : shape[1]] for frame in frames], axis=-1)


def _framed(pieces: Sequence[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(piece)) + piece for piece in pieces)


def _unframed(data: bytes) -> list[bytes]:
    pieces, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        pieces.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return pieces
