"""What one image file holds that its decoded file will lack, in short phrases."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ExifTags
from tifffile import PHOTOMETRIC, TiffFile, TiffPage

from inrc_modalities.image import png, tiff
from inrc_modalities.image.colour import CHUNKS, MAX_PROFILE_BYTES, is_srgb
from inrc_modalities.image.pixels import MODES, Pixels
from inrc_modalities.image.reading import FORMATS, explained, load, start

_KEPT_CHUNKS = {
    "IHDR", "PLTE", "IDAT", "IEND", "tRNS", "hIST", "sRGB", "iCCP", *CHUNKS,
}  # fmt: skip
_CHUNKS = {
    "tEXt": "text chunks", "zTXt": "text chunks", "iTXt": "text chunks", "eXIf": "EXIF",
    "pHYs": "resolution", "tIME": "time of last change", "sBIT": "number of significant bits",
    "bKGD": "background colour", "sPLT": "suggested palette",
}  # fmt: skip
_SEGMENTS = {
    b"Exif\0": "EXIF", b"http://ns.adobe.com/x": "XMP", b"Photoshop 3.0\0": "Photoshop data (IPTC)",
}  # fmt: skip
_KEPT_SEGMENTS = (b"ICC_PROFILE\0", b"MPF\0", b"Adobe", b"Ducky", b"JFXX\0")
# TIFF 6.0 and its technical notes: how pixels are stored, all of which load takes into account
_KEPT_TAGS = {
    254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 284, 292, 293,
    296, 297, 301, 317, 318, 319, 320, 322, 323, 324, 325, 338, 339, 347, 512, 513, 514, 515, 519,
    520, 521, 529, 530, 531, 532, 34675,
}  # fmt: skip
_TAGS = {
    **dict.fromkeys((269, 270, 271, 272, 285, 305, 306, 315, 316, 33432), "text tags"),
    **dict.fromkeys((33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113), "GeoTIFF tags"),
    **dict.fromkeys((34665, 34853, 40965), "EXIF"),
    **dict.fromkeys((33723, 34377, 37724), "Photoshop data (IPTC)"),
    282: "resolution", 283: "resolution", 330: "further pictures in SubIFDs", 700: "XMP",
}  # fmt: skip
_NO_UNIT = 1
"""ResolutionUnit of TIFF, and the density unit of JFIF is 0: the shape of a pixel, not a size."""

MAX_LABELS = 64
"""Distinct values of a label map at most; benchmarks of segmentation have 20 to 60 classes."""
MIN_LABEL_RUNS = 0.8
"""Share of neighbours with the same value in a label map, along both axes."""


def losses(path: Path) -> list[str]:
    """What is dropped of a file, or cannot be exact in a lossy code, each once."""
    pixels = load(path)
    with explained(path):
        if start(path)[:4] in tiff.SIGNATURES:
            with TiffFile(path) as file:
                phrases = [*_tiff(file)]
        else:
            with path.open("rb") as data, PIL.Image.open(data, formats=FORMATS) as image:
                phrases = [*_pillow(path, image)]
    if _label_map(pixels):
        phrases.append("exact labels (it looks like a label map)")
    return list(dict.fromkeys(phrases))


def _pillow(path: Path, image: PIL.Image.Image) -> Iterator[str]:
    if image.mode in ("P", "PA"):
        yield "palette"
    yield from _profile(image.info.get("icc_profile"))
    if image.format == "PNG":
        depth = start(path)[24]
        for name, content in png.chunks(path).items():
            full = name == "sBIT" and min(content, default=0) >= depth
            if name not in _KEPT_CHUNKS and not full:
                yield _CHUNKS.get(name, f"{name} chunk")
        if depth in (2, 4) and image.mode == "L":
            yield f"{depth}-bit samples (written as 8 bits)"
    elif image.format in ("JPEG", "MPO"):
        yield from _jpeg(image)
    else:
        yield from (
            phrase for key, phrase in (("exif", "EXIF"), ("xmp", "XMP")) if key in image.info
        )


def _jpeg(image: PIL.Image.Image) -> Iterator[str]:
    for name, content in getattr(image, "applist", ()):
        known = [phrase for mark, phrase in _SEGMENTS.items() if content.startswith(mark)]
        if known:
            yield known[0]
        elif name == "COM":
            yield "comment"
        elif content.startswith(b"JFIF\0"):
            if len(content) > 7 and content[7]:
                yield "resolution"
        elif not content.startswith(_KEPT_SEGMENTS):
            yield f"{name} segment"
    # EXIF 2.3: cameras mark Adobe RGB by the interoperability index R03
    if image.getexif().get_ifd(ExifTags.IFD.Interop).get(1) == "R03":
        yield "Adobe RGB mark of EXIF (shown as sRGB)"
    if getattr(image, "n_frames", 1) > 1:
        yield "further pictures (MPO)"


def _tiff(file: TiffFile) -> Iterator[str]:
    page = file.pages.first
    assert isinstance(page, TiffPage)  # `load` has checked it
    if page.photometric == PHOTOMETRIC.PALETTE:
        yield "palette"
    elif page.bitspersample in (2, 4):
        yield f"{page.bitspersample}-bit samples (written as 8 bits)"
    if len(file.pages) > 1:
        yield "overviews"
    yield from _profile(page.iccprofile)
    for tag in page.tags:
        phrase = _TAGS.get(tag.code, f"tag {tag.name}")
        absent = phrase == "resolution" and page.tags.valueof(296, default=2) == _NO_UNIT
        if tag.code not in _KEPT_TAGS and not absent:
            yield phrase


def _profile(icc: bytes | None) -> Iterator[str]:
    if icc and len(icc) > MAX_PROFILE_BYTES and not is_srgb(icc):
        yield f"ICC profile over {MAX_PROFILE_BYTES >> 10} KiB"


def _label_map(pixels: Pixels) -> bool:
    """Whether a picture has few colours in large areas, as classes and masks have."""
    array = pixels.array[..., : MODES[pixels.mode][0]].astype(np.int64)
    if min(array.shape[:2]) < 2:
        return False
    same = [(np.diff(array, axis=axis) == 0).all(axis=-1).mean() for axis in (0, 1)]
    if min(same) < MIN_LABEL_RUNS:
        return False
    values = sum(array[..., i] << (16 * i) for i in range(array.shape[2]))
    return 1 < np.unique(values).size <= MAX_LABELS
