"""Pixels to image files, losslessly wherever the format can."""

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import PIL.Image
import tifffile

from inrc.errors import SignalError
from inrc.files import atomic_write
from inrc_modalities.image.pixels import MODES, Pixels, recast

_SAME = {mode: mode for mode in MODES}


@dataclass(frozen=True)
class Format:
    """What a file format can hold, and how Pillow is told to write it."""

    name: str
    stored: Mapping[str, str]
    """The layout in which each supported layout is stored, without loss."""
    deep: bool = False
    profile: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


_PNG = Format("PNG", _SAME, deep=True, options={"optimize": True})
# 95 is the highest quality that Pillow's documentation recommends; 0 is 4:4:4
_JPEG = Format(
    "JPEG",
    {"1": "L", "L": "L", "RGB": "RGB"},
    options={"quality": 95, "subsampling": 0, "optimize": True},
)
_WEBP = Format(
    "WEBP",
    {"1": "RGB", "L": "RGB", "RGB": "RGB", "LA": "RGBA", "RGBA": "RGBA"},
    # exact keeps the colours of pixels that nobody can see
    options={"lossless": True, "exact": True},
)
_TIFF = Format("TIFF", _SAME, deep=True, options={"compression": "tiff_adobe_deflate"})
_BMP = Format("BMP", {"1": "1", "L": "L", "RGB": "RGB"}, profile=False)

FORMATS: dict[str, Format] = {
    ".png": _PNG,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _WEBP,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": _BMP,
}


def save(pixels: Pixels, path: Path) -> None:
    """Write an image file, in the format that the suffix names; complete, or not at all.

    Raises:
        SignalError: unknown suffix, a format that cannot hold these pixels, or a failing disk.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use one of {', '.join(FORMATS)}")
    if pixels.depth == 16 and not form.deep:
        raise SignalError(f"{path}: {form.name} has no 16-bit pixels; write .png or .tif")
    if pixels.mode not in form.stored:
        raise SignalError(f"{path}: {form.name} has no transparency; write .png, .webp or .tif")
    try:
        content = _encode(pixels, form)
        with atomic_write(path, overwrite=True) as part:
            part.write_bytes(content)
    except (OSError, ValueError) as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None


def _encode(pixels: Pixels, form: Format) -> bytes:
    if pixels.depth == 16:
        return _deep_png(pixels) if form is _PNG else _deep_tiff(pixels)
    mode = form.stored[pixels.mode]
    array = recast(pixels.array, pixels.mode, mode, pixels.peak)
    image = PIL.Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    if mode == "1":
        image = image.convert("1", dither=PIL.Image.Dither.NONE)
    options = dict(form.options)
    if form.profile and pixels.icc is not None:
        options["icc_profile"] = pixels.icc
    buffer = io.BytesIO()
    image.save(buffer, form.name, **options)
    return buffer.getvalue()


def _deep_png(pixels: Pixels) -> bytes:
    array = pixels.array[..., 0] if pixels.array.shape[2] == 1 else pixels.array
    content = bytes(imagecodecs.png_encode(array, level=9))
    if pixels.icc is None:
        return content
    # PNG specification: iCCP (name, 0, method 0, deflated profile) follows IHDR, the 33rd byte
    body = b"iCCP" + b"ICC\0\0" + zlib.compress(pixels.icc, 9)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return content[:33] + chunk + content[33:]


def _deep_tiff(pixels: Pixels) -> bytes:
    colours, alpha = MODES[pixels.mode]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        pixels.array if pixels.array.shape[2] > 1 else pixels.array[..., 0],
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if pixels.array.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if alpha else None,
        compression="zlib",
        iccprofile=pixels.icc,
        metadata=None,
    )
    return buffer.getvalue()
