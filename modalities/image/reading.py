"""Image files to pixels: Pillow, and where it would drop something, libpng and tifffile."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageOps

from inrc import files
from inrc.errors import SignalError
from inrc_modalities.image import png, tiff
from inrc_modalities.image.colour import kept_profile, png_colour
from inrc_modalities.image.pixels import LAYOUTS, MODES, ORIENTATION, Pixels, turned

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
"""Pillow's decoders that may open a file."""

# PNG specification, IHDR: bit depth is the 25th byte
_PNG_DEPTH = 24
# BITMAPV4HEADER of the Windows GDI: its size, and where the file has colour space and gammas
_BMP_V4, _BMP_SPACE, _BMP_GAMMAS = 108, 70, slice(110, 122)
_BMP_HEAD = 122


def load(path: Path) -> Pixels:
    """Read an image file the way round that a viewer shows it.

    Palettes become RGB, or RGBA if they have transparent entries. The first picture of an MPO is
    the photograph. `losses.losses` says what is dropped: EXIF (after the picture is turned as it
    says), text, and the like.

    Raises:
        SignalError: missing, not a file, empty, of an unknown format, damaged, too large, animated,
            or of pixels that MODES cannot hold (CMYK, floating point, 32 bits, bands).
    """
    with explained(path):
        head = start(path)
        if head[:4] in tiff.SIGNATURES:
            pixels = tiff.load(path)
            if pixels is not None:
                return pixels
        # a file and not a path: Pillow maps paths into memory, and then turns grey TIFFs wrongly
        with path.open("rb") as file, PIL.Image.open(file, formats=FORMATS) as image:
            if image.format != "MPO":  # what Pillow calls a JPEG with extras, from phones
                _check_single(path, getattr(image, "n_frames", 1))
            icc, colour = image.info.get("icc_profile"), dict[str, bytes]()
            if image.format == "PNG":
                icc, colour = png_colour(png.chunks(path), icc)
                if head[_PNG_DEPTH] == 16:
                    array = _deep_png(path, image)
                    return Pixels(array, LAYOUTS[array.shape[2]], icc, colour)
            elif image.format == "BMP":
                _check_bitmap(path, head)
            return _eight_bits(path, image, kept_profile(icc), colour)


def start(path: Path) -> bytes:
    """The first bytes of a file, enough to know its format and the header of a BMP.

    Raises:
        SignalError: an empty file.
    """
    with path.open("rb") as file:
        head = file.read(_BMP_HEAD)
    if not head:
        raise SignalError(f"{path}: empty file; give an image file")
    return head


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into one line."""
    with files.explained(path, "an image"), warnings.catch_warnings():
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        try:
            yield
        except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
            raise SignalError(f"{path}: too large to be safe ({error}); cut it in pieces") from None
        except PIL.UnidentifiedImageError:
            raise SignalError(
                f"{path}: not an image, or its start is damaged; give {', '.join(FORMATS)}"
            ) from None


def _eight_bits(
    path: Path, image: PIL.Image.Image, icc: bytes | None, colour: dict[str, bytes]
) -> Pixels:
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif "transparency" in image.info and image.mode in ("1", "L", "RGB"):
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")
    if image.mode not in MODES:
        raise SignalError(
            f"{path}: {image.mode} pixels are not supported; convert it to 8- or 16-bit grey or RGB"
        )
    image = ImageOps.exif_transpose(image)
    array = np.asarray(image, np.uint8).reshape(image.height, image.width, -1)
    array = array * np.uint8(255) if image.mode == "1" else array
    return Pixels(array, image.mode, icc, colour)


def _deep_png(path: Path, image: PIL.Image.Image) -> NDArray[np.uint16]:
    array = imagecodecs.png_decode(path.read_bytes())
    array = array.reshape(image.height, image.width, -1)
    key = image.info.get("transparency")
    if key is not None and array.shape[2] in (1, 3):
        opaque = (array != np.asarray(key, np.uint16)).any(axis=-1, keepdims=True)
        array = np.concatenate([array, opaque * np.uint16(65535)], axis=-1)
    return turned(array, image.getexif().get(ORIENTATION, 1))


def _check_bitmap(path: Path, head: bytes) -> None:
    """Refuse a BMP whose header describes colours other than sRGB, which Pillow ignores."""
    if len(head) < _BMP_HEAD or int.from_bytes(head[14:18], "little") < _BMP_V4:
        return
    space = head[_BMP_SPACE : _BMP_SPACE + 4][::-1]
    calibrated = space == bytes(4) and any(struct.unpack("<3I", head[_BMP_GAMMAS]))
    if space in (b"LINK", b"MBED") or calibrated:
        raise SignalError(
            f"{path}: its header describes colours that are not sRGB; convert it to PNG with a "
            "colour profile"
        )


def _check_single(path: Path, count: int) -> None:
    if count > 1:
        raise SignalError(f"{path}: {count} pictures in one file; save the one you want by itself")
