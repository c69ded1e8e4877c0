"""The codecs that a user of photographs would pick instead, at settings from coarse to fine.

All bytes that a decoder needs are counted, the header of the format included. Colour profiles are
neither kept nor counted.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import av
import imagecodecs
import numpy as np
import PIL.features
import PIL.Image
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.signal import Baseline
from inrc_modalities.image.pixels import LAYOUTS, Pixels, recast
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import save

Levels: TypeAlias = NDArray[Any]
"""H W c of uint8 or uint16."""

_PLAIN = {"1": "L", "L": "L", "RGB": "RGB"}
_COLOUR = {"1": "RGB", "L": "RGB", "RGB": "RGB", "LA": "RGBA", "RGBA": "RGBA"}
_ALL = {"1": "L", "L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA"}
_SMALLEST = 16
"""Pixels of a side that x265 needs: its smallest coding tree unit."""


@dataclass(frozen=True)
class Codec:
    """An ordinary codec of arrays H W c.

    Args:
        encode: pixels and quality to bytes.
        decode: bytes to pixels.
        stored: the layout in which it stores each layout that it can hold.
        deep: whether it can hold 16 bits per channel.
        smallest: shortest side that it can hold.
    """

    encode: Callable[[Levels, float], bytes]
    decode: Callable[[bytes], Levels]
    stored: Mapping[str, str]
    deep: bool = False
    smallest: int = 1

    def write(self, original: Path, quality: float) -> bytes:
        """A file's pixels as this codec stores them.

        Raises:
            SignalError: what `load` refuses, or pixels that the codec cannot hold.
        """
        pixels = load(original)
        if pixels.mode not in self.stored or (pixels.depth == 16 and not self.deep):
            kind = f"{pixels.depth} bits of {pixels.mode}"
            raise SignalError(f"{original}: this codec cannot hold {kind}; leave it out")
        if min(pixels.array.shape[:2]) < self.smallest:
            raise SignalError(f"{original}: this codec needs {self.smallest} pixels per side")
        array = recast(pixels.array, pixels.mode, self.stored[pixels.mode], pixels.peak)
        return self.encode(array, quality)

    def read(self, data: bytes, original: Path, decoded: Path) -> None:
        """Write what the bytes say as an image file; nothing is taken from the original.

        Raises:
            SignalError: damaged bytes, or what `save` refuses.
        """
        with _explained(decoded):
            array = np.atleast_3d(self.decode(data))
        save(Pixels(array, LAYOUTS[array.shape[2]]), decoded)


@dataclass(frozen=True)
class _Pillow:
    """Pillow's writers; the colours are halved in both directions (4:2:0), as users get them."""

    form: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def encode(self, array: Levels, quality: float) -> bytes:
        buffer = io.BytesIO()
        image = PIL.Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
        image.save(buffer, self.form, quality=round(quality), **self.options)
        return buffer.getvalue()

    def decode(self, data: bytes) -> Levels:
        with PIL.Image.open(io.BytesIO(data), formats=[self.form]) as image:
            return np.asarray(image, np.uint8)


def _jpeg2000(array: Levels, quality: float) -> bytes:
    """A bare code stream whose PSNR is `quality` dB, with the irreversible 9/7 wavelet."""
    squeezed = array[..., 0] if array.shape[2] == 1 else array
    encode: Any = imagecodecs.jpeg2k_encode  # its types say int, it takes any number
    return bytes(encode(squeezed, quality, codecformat="j2k", reversible=False, mct=True))


def _jpegxl(array: Levels, distance: float) -> bytes:
    """A bare code stream; a distance of 1 is what its authors call visually lossless.

    Where a pixel is fully transparent its colour is lost, which `measure` counts as an error.
    """
    squeezed = array[..., 0] if array.shape[2] == 1 else array
    return bytes(
        imagecodecs.jpegxl_encode(squeezed, distance=distance, usecontainer=False, numthreads=1)
    )


def _hevc(array: Levels, crf: float) -> bytes:
    """One intra frame in 10 bits, YCbCr 4:4:4 of full range: what BPG does, with its own headers.

    A raw stream: its parameter sets, about 80 bytes, are counted; BPG has shorter ones.
    """
    grey = array.shape[2] == 1
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="hevc") as container:
        stream: Any = container.add_stream("libx265", rate=1)
        stream.height, stream.width = array.shape[:2]
        stream.pix_fmt = "gray10le" if grey else "yuv444p10le"
        stream.options = {
            "crf": f"{crf:g}",
            "preset": "slow",
            # info: the encoder's settings as text, a kilobyte that no decoder reads
            "x265-params": "log-level=none:info=0:keyint=1:range=full:colormatrix=smpte170m",
        }
        frame: Any = av.VideoFrame.from_ndarray(
            array[..., 0] if grey else array, format="gray" if grey else "rgb24"
        )
        frame = frame.reformat(
            format=stream.pix_fmt, dst_colorspace="ITU601", dst_color_range="JPEG"
        )
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    return buffer.getvalue()


def _hevc_back(data: bytes) -> Levels:
    with av.open(io.BytesIO(data), "r", format="hevc") as container:
        frame = next(container.decode(video=0))
        grey = frame.format.name.startswith("gray")
        return frame.reformat(format="gray" if grey else "rgb24").to_ndarray()


_QUALITIES = (5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0)
_DECIBELS = (22.0, 24.0, 26.0, 28.0, 30.0, 32.0, 34.0, 36.0, 38.0, 40.0, 44.0, 48.0)
_DISTANCES = (25.0, 16.0, 11.0, 8.0, 5.5, 4.0, 2.8, 2.0, 1.4, 1.0, 0.5, 0.2)
_FACTORS = (51.0, 47.0, 43.0, 39.0, 35.0, 31.0, 27.0, 23.0, 19.0, 15.0, 11.0, 7.0)


def baselines() -> list[Baseline]:
    """JPEG, JPEG 2000, WebP, AVIF, JPEG XL and HEVC intra, those that this installation has."""
    jpeg = _Pillow("JPEG", {"optimize": True})
    webp = _Pillow("WEBP", {"method": 6, "exact": True})  # keeps the colours of unseen pixels
    avif = _Pillow("AVIF")
    found = [
        _named("JPEG", "quality", _QUALITIES, Codec(jpeg.encode, jpeg.decode, _PLAIN)),
        _named("JPEG 2000", "dB", _DECIBELS, Codec(
            _jpeg2000, imagecodecs.jpeg2k_decode, _ALL, deep=True)),
        _named("WebP", "quality", _QUALITIES, Codec(webp.encode, webp.decode, _COLOUR)),
    ]  # fmt: skip
    if PIL.features.check("avif"):
        codec = Codec(avif.encode, avif.decode, _COLOUR)
        found.append(_named("AVIF", "quality", _QUALITIES, codec))
    if imagecodecs.JPEGXL.available:
        decode = partial(imagecodecs.jpegxl_decode, numthreads=1)
        codec = Codec(_jpegxl, decode, _ALL, deep=True)
        found.append(_named("JPEG XL", "distance", _DISTANCES, codec))
    if "libx265" in av.codecs_available:
        codec = Codec(_hevc, _hevc_back, _PLAIN, smallest=_SMALLEST)
        found.append(_named("HEVC intra", "CRF", _FACTORS, codec))
    return found


def _named(name: str, unit: str, qualities: tuple[float, ...], codec: Codec) -> Baseline:
    return Baseline(name, unit, qualities, codec.write, codec.read)


@contextmanager
def _explained(decoded: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # decoders raise almost anything on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SignalError(f"{decoded}: the bytes to decode are damaged ({reason:.80})") from None
