"""TIFF: what its tags say is checked for every file, 8 and 16 bits are decoded by tifffile."""

import math
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, TiffFile, TiffPage

from inrc.errors import SignalError
from inrc_modalities.image.colour import kept_profile
from inrc_modalities.image.pixels import LAYOUTS, ORIENTATION, Pixels, turned

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# TIFF 6.0: PhotometricInterpretation, and how many samples of a pixel are colours
_COLOURS: dict[int, int] = {
    PHOTOMETRIC.MINISWHITE: 1, PHOTOMETRIC.MINISBLACK: 1, PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.PALETTE: 1, PHOTOMETRIC.YCBCR: 3,
}  # fmt: skip
_DECODED = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB)
# TIFF 6.0: SampleFormat 1 is unsigned; ExtraSamples 1 is premultiplied opacity, 2 is straight
_UNSIGNED, _PREMULTIPLIED, _STRAIGHT = 1, 1, 2
_TRANSFER, _WHITE, _PRIMARIES, _NODATA = 301, 318, 319, 42113
_SRGB = {_WHITE: (0.3127, 0.329), _PRIMARIES: (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)}
_CHROMATICITY_TOLERANCE = 0.001


def load(path: Path) -> Pixels | None:
    """Pixels of a TIFF of 8 or 16 bits; None for one that Pillow has to decode.

    Pillow decodes 1 to 4 bits, palettes and YCbCr, after the same checks.

    Raises:
        SignalError: several pictures, samples that are not colours (bands, premultiplied opacity,
            numbers with a sign), colours without a profile that are not sRGB, missing pixels, or a
            damaged file.
    """
    with TiffFile(path) as tiff:
        page = tiff.pages.first
        if not isinstance(page, TiffPage):
            raise SignalError(f"{path}: damaged; its first picture has no tags")
        others = (tiff.pages.get(i) for i in range(1, len(tiff.pages)))
        # smaller copies of the picture may follow it, other pictures may not
        overviews = all(isinstance(other, TiffPage) and other.is_reduced for other in others)
        if not overviews or _stacked(tiff):
            raise SignalError(
                f"{path}: {len(tiff.pages)} pictures in one file; save the one you want by itself"
            )
        _check(path, page)
        if page.photometric not in _DECODED or page.bitspersample not in (8, 16):
            return None
        return _decoded(path, page)


def _stacked(tiff: TiffFile) -> bool:
    """Whether ImageJ put more pictures behind the first than the file has pages."""
    return int((tiff.imagej_metadata or {}).get("images", 1)) > 1


def _check(path: Path, page: TiffPage) -> None:
    """Refuse what the tags declare and no `Pixels` can hold."""
    bands = page.samplesperpixel - _COLOURS.get(page.photometric, page.samplesperpixel)
    kinds = tuple(int(kind) for kind in page.extrasamples)
    limit = PIL.Image.MAX_IMAGE_PIXELS
    if limit is not None and page.imagelength * page.imagewidth > limit:
        raise PIL.Image.DecompressionBombError(
            f"{page.imagelength * page.imagewidth} pixels, the limit is {limit}"
        )
    if page.is_reduced:
        problem = "a preview of another picture; convert that one to TIFF or PNG"
    elif page.photometric not in _COLOURS:
        name = PHOTOMETRIC(page.photometric).name
        problem = f"{name} colours are not supported; convert it to grey or RGB"
    elif page.sampleformat != _UNSIGNED or page.imagedepth != 1 or page.bitspersample > 16:
        problem = (
            f"samples of type {page.dtype} are not supported; convert it to 8 or 16 bits unsigned"
        )
    elif bands > 1 or (bands == 1 and kinds not in ((_PREMULTIPLIED,), (_STRAIGHT,))):
        problem = (
            f"{page.samplesperpixel} samples per pixel, {bands} of them neither colour nor "
            "opacity; save the bands you want as grey or RGB"
        )
    elif not _is_srgb(page) and not page.iccprofile:
        problem = "its tags declare colours that are not sRGB; embed a colour profile instead"
    elif _NODATA in page.tags and page.photometric not in _DECODED:
        problem = "a palette with missing pixels is not supported; convert it to RGB and opacity"
    else:
        return
    raise SignalError(f"{path}: {problem}")


def _is_srgb(page: TiffPage) -> bool:
    """Whether the tags WhitePoint, PrimaryChromaticities and TransferFunction are those of sRGB."""
    for code, wanted in _SRGB.items():
        if code in page.tags:
            numbers = np.reshape(page.tags.valueof(code), (-1, 2)).astype(float)
            values = numbers[:, 0] / np.maximum(numbers[:, 1], 1.0)
            if values.shape != (len(wanted),):
                return False
            if not np.allclose(values, wanted, rtol=0.0, atol=_CHROMATICITY_TOLERANCE):
                return False
    return _TRANSFER not in page.tags


def _decoded(path: Path, page: TiffPage) -> Pixels:
    # tifffile would fill in zeros for strips and tiles that the file does not have
    counts = page.databytecounts
    if not len(page.dataoffsets) == len(counts) == math.prod(page.chunked) or 0 in counts:
        raise SignalError(f"{path}: damaged; some of its strips or tiles are missing")
    array = page.asarray()
    if page.axes == "SYX":
        array = np.moveaxis(array, 0, -1)
    array = array.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
    peak = np.iinfo(array.dtype).max
    array = np.array(array, np.uint16 if page.bitspersample == 16 else np.uint8)
    _check_values(path, page, array, int(peak))
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        array[..., 0] = peak - array[..., 0]
    array = turned(array, page.tags.valueof(ORIENTATION, default=1))
    return Pixels(array, LAYOUTS[array.shape[2]], kept_profile(page.iccprofile))


def _check_values(
    path: Path, page: TiffPage, array: NDArray[np.uint8] | NDArray[np.uint16], peak: int
) -> None:
    """Refuse premultiplied opacity that is not opaque, and pixels that are declared missing."""
    if _PREMULTIPLIED in page.extrasamples and not (array[..., -1] == peak).all():
        raise SignalError(
            f"{path}: premultiplied opacity is not supported; save it with straight "
            "(unassociated) opacity"
        )
    missing = page.tags.valueof(_NODATA)
    if missing is not None and (array == float(missing)).any():
        raise SignalError(
            f"{path}: pixels of value {missing} are declared missing (GDAL_NODATA); fill them, or "
            "mark them by opacity"
        )
