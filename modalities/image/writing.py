"""Pixels to image files, losslessly wherever the format can."""

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import tifffile
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import atomic_write
from inrc_modalities.image import png
from inrc_modalities.image.pixels import MODES, Pixels, recast, squeezed

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
    # exact keeps the colours of fully transparent pixels
    options={"lossless": True, "exact": True},
)
_TIFF = Format("TIFF", _SAME, deep=True, options={"compression": "tiff_adobe_deflate"})
_BMP = Format("BMP", {**_SAME, "LA": "RGBA"}, profile=False)

FORMATS: dict[str, Format] = {
    ".png": _PNG,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".jpe": _JPEG,
    ".jfif": _JPEG,
    ".webp": _WEBP,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": _BMP,
}
"""The format to write by suffix; PNG can hold all pixels."""


def format_for(pixels: Pixels, path: Path) -> Format:
    """The format that the suffix names, if it can hold these pixels.

    Raises:
        SignalError: unknown suffix, or a format that cannot hold these pixels or their colours.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use one of {', '.join(FORMATS)}")
    if pixels.depth == 16 and not form.deep:
        lost: str | None = "16-bit pixels"
    elif pixels.mode not in form.stored:
        lost = "transparency"
    else:
        lost = _lost_colour(pixels, form)
    if lost is not None:
        raise SignalError(f"{path}: {lost} cannot be written to {form.name}; use PNG")
    return form


def save(pixels: Pixels, path: Path) -> None:
    """Write an image file, in the format that the suffix names; complete, or not at all.

    Raises:
        SignalError: what `format_for` refuses, or a failing disk.
        InrcError: what `atomic_write` refuses: a folder, or a missing one.
    """
    form = format_for(pixels, path)
    try:
        content = _encode(pixels, form)
        with atomic_write(path, overwrite=True) as part:
            part.write_bytes(content)
    except (OSError, ValueError) as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None


def _lost_colour(pixels: Pixels, form: Format) -> str | None:
    """What a format cannot say of how these pixels look; None if it can say all."""
    if form is _PNG:
        return None
    names = ("cICP",) if pixels.icc is not None else ("cICP", "gAMA", "cHRM")
    chunks = [name for name in names if name in pixels.colour]
    if chunks:
        return f"the colours of PNG ({' and '.join(chunks)})"
    if pixels.icc is not None and not form.profile:
        return "a colour profile"
    grey = MODES[form.stored[pixels.mode]][0] == 1
    if pixels.icc is not None and pixels.icc[16:20] == b"GRAY" and not grey:
        return "the colour profile of grey pixels"
    return None


def _encode(pixels: Pixels, form: Format) -> bytes:
    if pixels.depth == 16 and form is _TIFF:
        return _deep_tiff(pixels)
    if pixels.depth == 16:
        content = bytes(imagecodecs.png_encode(squeezed(pixels.array), level=9))
        return png.with_colour(content, pixels)
    mode = form.stored[pixels.mode]
    array = recast(pixels.array, pixels.mode, mode, pixels.peak)
    if form is _BMP and mode == "RGBA":
        return _bitmap_with_opacity(array.astype(np.uint8))
    image = PIL.Image.fromarray(squeezed(array))
    if mode == "1":
        image = image.convert("1", dither=PIL.Image.Dither.NONE)
    options = dict(form.options)
    if pixels.icc is not None and form is not _PNG:
        options["icc_profile"] = pixels.icc
    buffer = io.BytesIO()
    image.save(buffer, form.name, **options)
    content = buffer.getvalue()
    return png.with_colour(content, pixels) if form is _PNG else content


def _deep_tiff(pixels: Pixels) -> bytes:
    colours, alpha = MODES[pixels.mode]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        squeezed(pixels.array),
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if pixels.array.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if alpha else None,
        compression="zlib",
        iccprofile=pixels.icc,
        metadata=None,
        software=False,
    )
    return buffer.getvalue()


def _bitmap_with_opacity(array: NDArray[np.uint8]) -> bytes:
    """A BMP of 32 bits whose header names the bits of opacity, which Pillow's does not.

    BITMAPV4HEADER of the Windows GDI: BI_BITFIELDS is 3, "Win " is the colour space sRGB, rows
    from the bottom up, and the 48 bytes of end points and gammas unused.
    """
    height, width = array.shape[:2]
    data = np.ascontiguousarray(array[::-1, :, [2, 1, 0, 3]]).tobytes()
    head = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(data), 0, 0, 0, 0)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head += masks + b"Win "[::-1] + bytes(48)
    start = 14 + len(head)
    return struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start) + head + data
