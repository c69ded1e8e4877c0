"""Damaged image files: `read` and `losses` raise SignalError and nothing else, in little time."""

import io
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from damage import mutated
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import noise, profile, ramp

from inrc.errors import SignalError
from inrc_modalities.image import Image
from inrc_modalities.image.pixels import LAYOUTS, Pixels
from inrc_modalities.image.writing import save

CASES = int(os.environ.get("INRC_FUZZ_CASES", "40"))
"""Damaged versions of each kind of file; more for a long search."""
MAX_SECONDS = 10.0

EXIF = PIL.Image.Exif()
EXIF[0x0112] = 6
SMALL = ramp(13, 21)
COLOURS = {"gAMA": struct.pack(">I", 99999), "cICP": bytes([9, 16, 0, 1])}


def own(suffix: str, mode: str = "RGB", depth: int = 8, **colour: Any) -> Callable[[Path], None]:
    """A file as `save` writes it."""

    def write(path: Path) -> None:
        save(Pixels(noise(mode, depth).array, mode, **colour), path.with_suffix(suffix))
        path.with_suffix(suffix).replace(path)

    return write


def pillow(form: str, image: PIL.Image.Image, **options: Any) -> Callable[[Path], None]:
    """A file as Pillow writes it."""

    def write(path: Path) -> None:
        image.save(path, form, **options)

    return write


def tif(array: Any, **options: Any) -> Callable[[Path], None]:
    """A file as tifffile writes it."""

    def write(path: Path) -> None:
        tifffile.imwrite(path, array, **options)

    return write


PHOTO = PIL.Image.fromarray(SMALL)
KINDS: dict[str, Callable[[Path], None]] = {
    "png": own(".png", icc=profile(), colour=COLOURS),
    "png-16": own(".png", "RGBA", 16, icc=profile()),
    "png-1": own(".png", "1"),
    "png-palette": pillow("PNG", PHOTO.quantize(16), transparency=3, exif=EXIF),
    "png-interlaced": pillow("PNG", PHOTO, exif=EXIF, dpi=(72, 72)),
    "jpeg": pillow("JPEG", PHOTO, exif=EXIF, icc_profile=profile(), comment=b"x", xmp=b"<x/>"),
    "jpeg-progressive": pillow("JPEG", PHOTO.convert("L"), progressive=True),
    "mpo": pillow("MPO", PHOTO, save_all=True, append_images=[PHOTO]),
    "webp": pillow("WEBP", PHOTO, exif=EXIF, icc_profile=profile()),
    "webp-lossless": own(".webp", "RGBA"),
    "tiff": own(".tif", icc=profile()),
    "tiff-16": own(".tif", "RGBA", 16),
    "tiff-lzw": tif(SMALL, photometric="rgb", compression="lzw", predictor=True, rowsperstrip=3),
    "tiff-tiles": tif(SMALL, photometric="rgb", tile=(16, 16), byteorder=">", bigtiff=True),
    "tiff-planes": tif(np.moveaxis(SMALL, -1, 0), photometric="rgb", planarconfig="separate"),
    "tiff-jpeg": pillow("TIFF", PHOTO, compression="jpeg"),
    "tiff-fax": pillow("TIFF", PHOTO.convert("1"), compression="group4"),
    "tiff-palette": pillow("TIFF", PHOTO.quantize(16), tiffinfo={0x0112: 6}),
    "bmp": own(".bmp"),
    "bmp-opacity": own(".bmp", "RGBA"),
    "bmp-palette": pillow("BMP", PHOTO.quantize(16)),
}


def mended(content: bytes) -> bytes:
    """A PNG whose checksums are right again, so that what is damaged reaches the decoder."""
    out, place = bytearray(content[:8]), 8
    while place + 8 <= len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        body = content[place + 4 : place + 8 + size]
        out += content[place : place + 4] + body + struct.pack(">I", zlib.crc32(body))
        place += 12 + size
    return bytes(out)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_raise_signal_errors_only(tmp_path: Path, kind: str) -> None:
    KINDS[kind](tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    path, modality = tmp_path / "a", Image(channels=4)
    path.write_bytes(content)
    modality.read(path)  # the file as it was is sound
    refused = []

    @settings(max_examples=CASES, deadline=None)
    @given(st.data(), st.booleans())
    def check(data: st.DataObject, mend: bool) -> None:
        bad = mutated(content, data)
        path.write_bytes(mended(bad) if mend and kind.startswith("png") else bad)
        start = time.process_time()
        for call in (modality.read, modality.losses):
            try:
                call(path)
            except SignalError as error:
                message = str(error)
                assert message.startswith(f"{path}: ") and "\n" not in message
                refused.append(message)
        assert time.process_time() - start < MAX_SECONDS

    check()
    assert len(refused) > CASES / 4  # the damage is real


@pytest.mark.parametrize("mode", LAYOUTS.values())
def test_pictures_that_survive_damage_can_be_written(tmp_path: Path, mode: str) -> None:
    path, out, modality = tmp_path / "a.png", tmp_path / "b.png", Image(channels=4)
    save(noise(mode), path)
    content = path.read_bytes()

    @settings(max_examples=CASES, deadline=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        path.write_bytes(mended(mutated(content, data)))
        try:
            signal = modality.read(path)
        except SignalError:
            return
        modality.write(signal, out)
        again = modality.read(out)
        assert again.meta == signal.meta and (again.features == signal.features).all()

    check()


def test_an_empty_file_of_every_length(tmp_path: Path) -> None:
    """The start of a file alone is refused, wherever it is cut."""
    for suffix in (".png", ".tif", ".jpg", ".webp", ".bmp"):
        path, buffer = tmp_path / f"a{suffix}", io.BytesIO()
        save(noise("RGB"), path)
        buffer.write(path.read_bytes()[:130])
        for size in range(0, 130, 3):
            path.write_bytes(buffer.getvalue()[:size])
            with pytest.raises(SignalError, match=f"a{suffix}: "):
                Image().read(path)
