"""What a file holds that its decoded file will lack."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_files import noise, profile, ramp
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.image import Image, png
from inrc_modalities.image.colour import MAX_PROFILE_BYTES
from inrc_modalities.image.pixels import Pixels
from inrc_modalities.image.writing import FORMATS, save

PHOTO = PIL.Image.fromarray(ramp(40, 56))
LARGE = profile(name=bytes(MAX_PROFILE_BYTES))
LABELS = np.repeat(np.repeat(np.arange(20, dtype=np.uint8).reshape(4, 5), 16, 0), 16, 1)


def losses(path: Path) -> list[str]:
    return Image(channels=4).losses(path)


def exif(**tags: Any) -> PIL.Image.Exif:
    made = PIL.Image.Exif()
    made[0x010F] = "maker"
    if tags:
        made.get_ifd(0x8769)[0xA005] = tags["interop"]
    return made


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_written_loses_nothing_when_it_is_read_again(tmp_path: Path, suffix: str) -> None:
    for mode, depth in (("RGB", 8), ("L", 8), ("RGB", 16)):
        path = tmp_path / f"a{suffix}"
        if depth == 8 or FORMATS[suffix].deep:
            icc = profile() if FORMATS[suffix].profile and mode == "RGB" else None
            save(Pixels(noise(mode, depth).array, mode, icc), path)
            assert losses(path) == []


@pytest.mark.parametrize(
    ("name", "data", "phrase"),
    [
        ("tEXt", b"Author\0me", "text chunks"),
        ("iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>", "text chunks"),
        ("eXIf", b"II*\0\x08\0\0\0\0\0\0\0\0\0", "EXIF"),
        ("pHYs", struct.pack(">IIB", 2835, 2835, 1), "resolution"),
        ("tIME", bytes([7, 232, 1, 1, 0, 0, 0]), "time of last change"),
        ("sBIT", bytes([5, 6, 5]), "number of significant bits"),
        ("sBIT", bytes([16, 16, 16]), None),
        ("bKGD", bytes(6), "background colour"),
        ("prVt", b"secret", "prVt chunk"),
        ("gAMA", struct.pack(">I", 45455), None),
        ("sRGB", b"\0", None),
    ],
)
@pytest.mark.parametrize("depth", [8, 16])
def test_chunks_of_png(
    tmp_path: Path, name: str, data: bytes, phrase: str | None, depth: int
) -> None:
    path = tmp_path / "a.png"
    save(noise("RGB", depth), path)
    content = path.read_bytes()
    for place in (33, len(content) - 12):  # before and after the pixels
        path.write_bytes(content[:place] + png.chunk(name.encode(), data) + content[place:])
        assert losses(path) == ([] if phrase is None else [phrase])


def test_metadata_of_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    for options, phrases in [
        ({}, []),
        ({"dpi": (300, 300)}, ["resolution"]),
        ({"exif": exif()}, ["EXIF"]),
        ({"xmp": b"<x/>"}, ["XMP"]),
        ({"comment": b"mine"}, ["comment"]),
        ({"icc_profile": profile()}, []),
        ({"icc_profile": LARGE}, ["ICC profile over 64 KiB"]),
        ({"exif": exif(interop={1: "R03"})}, ["EXIF", "Adobe RGB mark of EXIF (shown as sRGB)"]),
        ({"extra": b"\xff\xeb\0\x06JP??"}, ["APP11 segment"]),
        ({"extra": b"\xff\xed\0\x12Photoshop 3.0\0\0\0"}, ["Photoshop data (IPTC)"]),
        ({"exif": exif(), "comment": b"mine", "dpi": (72, 72)}, ["resolution", "EXIF", "comment"]),
    ]:
        PHOTO.save(path, **options)
        assert sorted(losses(path)) == sorted(phrases)
    PHOTO.save(path, "MPO", save_all=True, append_images=[PHOTO])
    assert losses(path) == ["further pictures (MPO)"]


def test_metadata_of_webp(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    PHOTO.save(path, exif=exif(), xmp=b"<x/>", icc_profile=LARGE)
    assert losses(path) == ["ICC profile over 64 KiB", "EXIF", "XMP"]


def test_tags_of_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for tags, phrases in [
        ([], []),
        ([(305, "s", 0, "software", True), (33432, "s", 0, "mine", True)], ["text tags"]),
        ([(33550, "d", 3, (1.0, 1.0, 0.0), True)], ["GeoTIFF tags"]),
        ([(700, "B", 4, b"<x/>", True)], ["XMP"]),
        ([(34377, "B", 4, b"8BIM", True)], ["Photoshop data (IPTC)"]),
        ([(65001, "H", 1, 7, True)], ["tag 65001"]),
    ]:
        tifffile.imwrite(path, ramp(9, 8), photometric="rgb", extratags=tags, metadata=None,
                         software=False)  # fmt: skip
        assert losses(path) == phrases
    options: dict[str, Any] = {"photometric": "rgb", "metadata": None, "software": False}
    tifffile.imwrite(path, ramp(9, 8), resolution=(300, 300), resolutionunit="inch", **options)
    assert losses(path) == ["resolution"]
    tifffile.imwrite(path, ramp(9, 8), iccprofile=LARGE, **options)
    assert losses(path) == ["ICC profile over 64 KiB"]
    with tifffile.TiffWriter(path) as writer:
        writer.write(ramp(9, 8), **options)
        writer.write(ramp(5, 4), subfiletype=1, **options)
    assert losses(path) == ["overviews"]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_palettes_and_few_bits(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    PHOTO.quantize(200).save(path)
    assert losses(path) == ["palette"]
    if suffix == ".png":
        levels = np.indices((16, 16)).sum(0) % 4  # in 2 bits, which Pillow does not write for grey
        rows = levels.reshape(16, 4, 4) @ np.array([64, 16, 4, 1])
        raw = b"".join(b"\0" + bytes(row.astype(np.uint8)) for row in rows)
        head = struct.pack(">IIBBBBB", 16, 16, 2, 0, 0, 0, 0)
        parts = [(b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
        path.write_bytes(png.SIGNATURE + b"".join(png.chunk(*part) for part in parts))
        features = Image(channels=1).read(path).features
        assert np.array_equal((features * 3).round().reshape(16, 16), levels)
        assert losses(path) == ["2-bit samples (written as 8 bits)"]


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (LABELS, True),
        (LABELS.astype(np.uint16) * 1000, True),
        (np.where(LABELS > 9, 255, 0).astype(np.uint8), True),  # a mask
        (ramp(64, 64)[..., 0], False),  # a slope: few values, but in one direction
        (np.full((64, 64), 9, np.uint8), False),
        (noise("L", height=64, width=64).array[..., 0] // 8, False),
        (LABELS[:1, :1], False),
        (np.stack([LABELS, 255 - LABELS, LABELS], axis=-1), True),  # classes as colours
        (np.kron(ramp(8, 8), np.ones((8, 8, 1), np.uint8)), True),
        (np.kron(ramp(16, 16), np.ones((8, 8, 1), np.uint8)), False),  # of 256 colours
        (ramp(64, 64), False),
    ],
)
def test_label_maps_are_told(tmp_path: Path, array: NDArray[Any], told: bool) -> None:
    path = tmp_path / "a.png"
    save(Pixels(np.atleast_3d(array), "L" if array.ndim == 2 else "RGB"), path)
    assert losses(path) == (["exact labels (it looks like a label map)"] if told else [])


def test_a_palette_of_labels_is_told_as_both(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    labels = PIL.Image.fromarray(LABELS, "P")
    labels.putpalette([n for i in range(256) for n in (i, 255 - i, 7 * i % 256)])
    labels.save(path)
    assert losses(path) == ["palette", "exact labels (it looks like a label map)"]


def test_a_file_that_cannot_be_read_has_no_losses(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no")
    with pytest.raises(SignalError, match=r"a\.png: not an image"):
        losses(tmp_path / "a.png")
