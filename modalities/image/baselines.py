"""Ordinary codecs of photographs, at settings from coarse to fine.

All bytes that a decoder needs are counted, with the header of the format. Colour profiles are not
kept and not counted.
"""

import io
from collections.abc import Callable, Mapping
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

from inrc.errors import SignalError, one_line
from inrc.signal import Baseline
from inrc_modalities.image.pixels import LAYOUTS, Pixels, recast, squeezed
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import save

Levels: TypeAlias = NDArray[Any]
"""H W c of uint8 or uint16."""

_PLAIN = {"1": "L", "L": "L", "RGB": "RGB"}
_COLOUR = {"1": "RGB", "L": "RGB", "RGB": "RGB", "LA": "RGBA", "RGBA": "RGBA"}
_ALL = {"1": "L", "L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA"}
_MIN_SIDE = 16
"""Pixels of a side that x265 needs: its smallest coding tree unit."""


@dataclass(frozen=True)
class Codec:
    """An ordinary codec of arrays H W c.

    Args:
        encode: pixels and quality to bytes.
        decode: bytes to pixels.
        stored: the layout in which it stores each layout that it supports.
        deep: whether it supports 16 bits per channel.
        min_side: pixels of the shortest side that it supports.
    """

    encode: Callable[[Levels, float], bytes]
    decode: Callable[[bytes], Levels]
    stored: Mapping[str, str]
    deep: bool = False
    min_side: int = 1

    def write(self, original: Path, quality: float) -> bytes:
        """The pixels of a file as this codec stores them.

        Raises:
            SignalError: what `load` refuses, or pixels that the codec does not support.
        """
        pixels = load(original)
        if pixels.mode not in self.stored or (pixels.depth == 16 and not self.deep):
            kind = f"{pixels.depth} bits of {pixels.mode}"
            raise SignalError(f"{original}: this codec does not support {kind}; leave it out")
        if min(pixels.array.shape[:2]) < self.min_side:
            raise SignalError(
                f"{original}: this codec needs {self.min_side} pixels per side; leave it out"
            )
        array = recast(pixels.array, pixels.mode, self.stored[pixels.mode], pixels.peak)
        return self.encode(array, quality)

    def read(self, data: bytes, original: Path, decoded: Path) -> None:
        """Write the decoded pixels as an image file; the original is not used.

        Raises:
            SignalError: damaged bytes, or what `save` refuses.
        """
        try:
            array = np.atleast_3d(self.decode(data))
        except Exception as error:
            # decoders raise almost anything on damaged bytes
            reason = one_line(error)
            raise SignalError(
                f"{decoded}: the bytes to decode are damaged ({reason:.80})"
            ) from None
        save(Pixels(array, LAYOUTS[array.shape[2]]), decoded)


@dataclass(frozen=True)
class _Pillow:
    """Pillow's writers with the colour subsampling that is their default (4:2:0)."""

    form: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def encode(self, array: Levels, quality: float) -> bytes:
        buffer = io.BytesIO()
        image = PIL.Image.fromarray(squeezed(array))
        image.save(buffer, self.form, quality=round(quality), **self.options)
        return buffer.getvalue()

    def decode(self, data: bytes) -> Levels:
        with PIL.Image.open(io.BytesIO(data), formats=[self.form]) as image:
            return np.asarray(image, np.uint8)


def _jpeg2000(array: Levels, quality: float) -> bytes:
    """A bare code stream whose PSNR is `quality` dB, with the irreversible 9/7 wavelet."""
    encode: Any = imagecodecs.jpeg2k_encode  # typed for int, accepts float
    return bytes(encode(squeezed(array), quality, codecformat="j2k", reversible=False, mct=True))


def _jpegxl(array: Levels, distance: float) -> bytes:
    """A bare code stream; its authors call a distance of 1 visually lossless.

    The colour of fully transparent pixels is lost, which `measure` counts as an error.
    """
    return bytes(
        imagecodecs.jpegxl_encode(
            squeezed(array), distance=distance, usecontainer=False, numthreads=1
        )
    )


@dataclass(frozen=True)
class _Intra:
    """One intra frame of a video encoder of FFmpeg, in 10 bits of YCbCr of full range.

    The result is a raw stream; its parameter sets, about 80 bytes, are counted.
    """

    encoder: str
    form: str
    colour: str
    options: Mapping[str, str]
    quality: str
    grey: str | None = None
    """The pixel format of grey pictures; None to code them in colour."""

    def encode(self, array: Levels, quality: float) -> bytes:
        grey = array.shape[2] == 1
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=self.form) as container:
            stream: Any = container.add_stream(self.encoder, rate=1)
            stream.height, stream.width = array.shape[:2]
            stream.pix_fmt = self.grey if grey and self.grey else self.colour
            stream.options = {self.quality: f"{quality:g}", **self.options}
            frame: Any = av.VideoFrame.from_ndarray(
                squeezed(array), format="gray" if grey else "rgb24"
            )
            frame = frame.reformat(
                format=stream.pix_fmt, dst_colorspace="ITU601", dst_color_range="JPEG"
            )
            for packet in [*stream.encode(frame), *stream.encode()]:
                container.mux(packet)
        return buffer.getvalue()

    def decode(self, data: bytes) -> Levels:
        with av.open(io.BytesIO(data), "r", format=self.form) as container:
            frame = next(container.decode(video=0))
            grey = frame.format.name.startswith("gray")
            return frame.reformat(format="gray" if grey else "rgb24").to_ndarray()


_HEVC = _Intra(
    "libx265", "hevc", "yuv444p10le",  # 4:4:4 as in BPG, which has other headers
    {
        "preset": "slow",
        # info=0: leave out the settings as text, a kilobyte that decoders ignore
        "x265-params": "log-level=none:info=0:keyint=1:range=full:colormatrix=smpte170m",
    },
    "crf", "gray10le",
)  # fmt: skip
_VVC = _Intra("libvvenc", "vvc", "yuv420p10le", {"preset": "slow", "period": "1"}, "qp")
"""4:2:0, the only layout of VVenC."""


_QUALITIES = (5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0)
_DECIBELS = (22.0, 24.0, 26.0, 28.0, 30.0, 32.0, 34.0, 36.0, 38.0, 40.0, 44.0, 48.0)
_DISTANCES = (25.0, 16.0, 11.0, 8.0, 5.5, 4.0, 2.8, 2.0, 1.4, 1.0, 0.5, 0.2)
_FACTORS = (51.0, 47.0, 43.0, 39.0, 35.0, 31.0, 27.0, 23.0, 19.0, 15.0, 11.0, 7.0)


def baselines() -> list[Baseline]:
    """JPEG, JPEG 2000, WebP, AVIF, JPEG XL, HEVC intra and VVC intra.

    The `needs` of a codec names the package that it is missing here.
    """
    jpeg = _Pillow("JPEG", {"optimize": True})
    # exact keeps the colours of transparent pixels
    webp = _Pillow("WEBP", {"method": 6, "exact": True})
    avif = _Pillow("AVIF")
    avif_here = bool(PIL.features.check("avif"))
    decode = partial(imagecodecs.jpegxl_decode, numthreads=1)
    return [
        _named("JPEG", "quality", _QUALITIES, Codec(jpeg.encode, jpeg.decode, _PLAIN)),
        _named("JPEG 2000", "dB", _DECIBELS, Codec(
            _jpeg2000, imagecodecs.jpeg2k_decode, _ALL, deep=True)),
        _named("WebP", "quality", _QUALITIES, Codec(webp.encode, webp.decode, _COLOUR)),
        _named("AVIF", "quality", _QUALITIES, Codec(avif.encode, avif.decode, _COLOUR),
               None if avif_here else "a Pillow with AVIF"),
        _named("JPEG XL", "distance", _DISTANCES, Codec(_jpegxl, decode, _ALL, deep=True),
               None if imagecodecs.JPEGXL.available else "an imagecodecs with JPEG XL"),
        _video("HEVC intra", _FACTORS, _HEVC, "CRF"),
        _video("VVC intra", _FACTORS, _VVC, "QP"),
    ]  # fmt: skip


def _video(name: str, qualities: tuple[float, ...], codec: _Intra, unit: str) -> Baseline:
    here = codec.encoder in av.codecs_available
    return _named(
        name, unit, qualities, Codec(codec.encode, codec.decode, _PLAIN, min_side=_MIN_SIDE),
        None if here else f"a PyAV whose FFmpeg has {codec.encoder}",
    )  # fmt: skip


def _named(
    name: str, unit: str, qualities: tuple[float, ...], codec: Codec, needs: str | None = None
) -> Baseline:
    return Baseline(name, unit, qualities, codec.write, codec.read, needs)
