"""Image files to pixels: Pillow, and where it would cut 16 bits to 8, libpng and tifffile."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageOps
from tifffile import TiffFile, TiffPage

from inrc.errors import SignalError, one_line
from inrc_modalities.image.pixels import ICC_LIMIT, LAYOUTS, MODES, Pixels

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
"""Pillow's decoders that are let near a file."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG = b"\x89PNG\r\n\x1a\n"
# TIFF 6.0: SampleFormat 1 is unsigned; PhotometricInterpretation 0, 1, 2 white or black is 0, RGB
_UNSIGNED, _WHITE_IS_ZERO, _PHOTOMETRICS = 1, 0, (0, 1, 2)
# EXIF 2.3, tag 0x0112, as (transpose first, then flip rows, then flip columns)
_ORIENTATION = 0x0112
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def load(path: Path) -> Pixels:
    """Read an image file the way round that a viewer shows it.

    Palettes become RGB, or RGBA if they have transparent entries. The first picture of an MPO is
    the photograph. EXIF and text are dropped, after the picture was turned as EXIF says.

    Raises:
        SignalError: missing, not a file, empty, of no known format, damaged, too large, animated,
            or of pixels that are none of MODES (CMYK, floating point, 32 bits).
    """
    with _explained(path):
        with path.open("rb") as file:
            head = file.read(26)
        if not head:
            raise SignalError(f"{path}: an empty file, not an image")
        if head[:4] in _TIFF:
            with TiffFile(path) as tiff:
                page = tiff.pages.first
                if isinstance(page, TiffPage) and page.bitspersample == 16:
                    return _deep_tiff(path, page, len(tiff.pages))
        with PIL.Image.open(path, formats=FORMATS) as image:
            if image.format != "MPO":  # what Pillow calls a JPEG with extras, from phones
                _one_picture(path, getattr(image, "n_frames", 1))
            icc = _profile(image.info.get("icc_profile"))
            # PNG specification, IHDR: bit depth is the 25th byte
            if head[:8] == _PNG and head[24] == 16:
                array = _deep_png(path, image)
                return Pixels(array, LAYOUTS[array.shape[2]], icc)
            return _ordinary(path, image, icc)


def _ordinary(path: Path, image: PIL.Image.Image, icc: bytes | None) -> Pixels:
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif "transparency" in image.info and image.mode in ("1", "L", "RGB"):
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")
    if image.mode not in MODES:
        raise SignalError(
            f"{path}: pixels of kind {image.mode!r} are not supported; "
            "convert it to 8- or 16-bit grey or RGB first"
        )
    image = ImageOps.exif_transpose(image)
    array = np.asarray(image, np.uint8).reshape(image.height, image.width, -1)
    return Pixels(array * np.uint8(255) if image.mode == "1" else array, image.mode, icc)


def _deep_png(path: Path, image: PIL.Image.Image) -> NDArray[np.uint16]:
    array = imagecodecs.png_decode(path.read_bytes())
    array = array.reshape(image.height, image.width, -1)
    key = image.info.get("transparency")
    if key is not None and array.shape[2] in (1, 3):
        seen = (array != np.asarray(key, np.uint16)).any(axis=-1, keepdims=True)
        array = np.concatenate([array, seen * np.uint16(65535)], axis=-1)
    return _turned(array, image.getexif().get(_ORIENTATION, 1))


def _deep_tiff(path: Path, page: TiffPage, pages: int) -> Pixels:
    _one_picture(path, pages)
    channels = page.samplesperpixel
    if (
        page.sampleformat != _UNSIGNED
        or page.photometric not in _PHOTOMETRICS
        or channels not in LAYOUTS
        or page.imagedepth != 1
    ):
        raise SignalError(
            f"{path}: 16-bit samples of this kind ({channels} per pixel, photometric "
            f"{int(page.photometric)}) are not supported; convert it to unsigned grey or RGB first"
        )
    limit = PIL.Image.MAX_IMAGE_PIXELS
    if limit is not None and page.imagelength * page.imagewidth > limit:
        raise PIL.Image.DecompressionBombError(
            f"{page.imagelength * page.imagewidth} pixels, the limit is {limit}"
        )
    # tifffile would fill in zeros for strips that the file does not have
    if not len(page.dataoffsets) == len(page.databytecounts) == math.prod(page.chunked):
        raise SignalError(f"{path}: damaged; some of its strips are missing")
    array = page.asarray()
    if page.axes == "SYX":
        array = np.moveaxis(array, 0, -1)
    array = np.array(array.reshape(page.imagelength, page.imagewidth, channels), np.uint16)
    if page.photometric == _WHITE_IS_ZERO:
        array[..., 0] = 65535 - array[..., 0]
    orientation = page.tags.valueof(_ORIENTATION, default=1)
    return Pixels(_turned(array, orientation), LAYOUTS[channels], _profile(page.iccprofile))


def _turned(array: NDArray[np.uint16], orientation: int) -> NDArray[np.uint16]:
    transpose, rows, columns = _TURNS.get(orientation, (False, False, False))
    array = array.swapaxes(0, 1) if transpose else array
    array = array[::-1] if rows else array
    return np.ascontiguousarray(array[:, ::-1] if columns else array)


def _profile(icc: bytes | None) -> bytes | None:
    """The colour profile, if it says something and does not cost more than the picture."""
    if not icc or len(icc) > ICC_LIMIT or b"sRGB" in icc or b"s\0R\0G\0B" in icc:
        return None
    return icc


def _one_picture(path: Path, count: int) -> None:
    if count > 1:
        raise SignalError(f"{path}: {count} pictures in one file; save the one you want by itself")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            yield
    except SignalError:
        raise
    except FileNotFoundError:
        raise SignalError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise SignalError(f"{path}: a folder, not an image file") from None
    except PermissionError:
        raise SignalError(f"{path}: may not be read (permission denied)") from None
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise SignalError(f"{path}: too large to be safe, cut it in pieces ({error})") from None
    except PIL.UnidentifiedImageError:
        raise SignalError(
            f"{path}: not an image that can be read ({', '.join(FORMATS)}), or its start is damaged"
        ) from None
    except Exception as error:
        # decoders raise almost anything on damaged bytes: SyntaxError, ValueError, KeyError ...
        reason = one_line(error)
        raise SignalError(f"{path}: damaged or cut short ({reason})") from None
