"""Descriptions of colour: profiles by their content, PNG's chunks, and formats without them."""

import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from image_files import noise, profile, ramp
from numpy.typing import NDArray
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

from inrc.errors import SignalError
from inrc_modalities.image import Image
from inrc_modalities.image.colour import CHUNKS, MAX_PROFILE_BYTES, is_srgb, kept_profile
from inrc_modalities.image.pixels import Pixels
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import FORMATS, save

LCMS = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
WIDE = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
"""Adobe RGB (1998), adapted to D50."""
CURVE = [round(65535 * (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4))
         for x in np.linspace(0, 1, 1024)]  # fmt: skip
CHRM_2020 = struct.pack(">8I", 31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600)
GAMMA_1 = struct.pack(">I", 100000)


def shown(path: Path) -> NDArray[np.uint8]:
    """The pixels of an RGB file as its profile shows them, in sRGB."""
    with PIL.Image.open(path) as image:
        icc = image.info.get("icc_profile")
        srgb = ImageCms.createProfile("sRGB")
        own = ImageCms.ImageCmsProfile(io.BytesIO(icc)) if icc else srgb
        return np.asarray(ImageCms.profileToProfile(image, own, srgb))


@pytest.mark.parametrize(
    ("icc", "srgb"),
    [
        (LCMS, True),
        (LCMS.replace(b"s\0R\0G\0B", b"w\0i\0d\0e"), True),  # a name says nothing
        (profile(name=b"anything", curve=CURVE), True),
        (profile(space=b"GRAY", curve=CURVE), True),
        (profile(name=b"GIMP built-in Linear sRGB"), False),
        (profile(name=b"sRGB", curve=[round(2.2 * 256)]), False),
        (profile(name=b"sRGB", primaries=WIDE, curve=CURVE), False),
        (profile(space=b"GRAY", curve=[round(2.2 * 256)]), False),
        (profile(name=b"sRGB", curve=CURVE, table=True), False),
        (LCMS[:200], False),
        (b"sRGB", False),
    ],
)
def test_a_profile_is_srgb_by_its_content(icc: bytes, srgb: bool) -> None:
    assert is_srgb(icc) == srgb
    assert kept_profile(icc) == (None if srgb else icc)


def test_what_counts_as_srgb_is_shown_as_srgb(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for icc in (LCMS, profile(curve=CURVE)):
        assert is_srgb(icc)
        PIL.Image.fromarray(ramp(64, 64)).save(path, icc_profile=icc)
        assert np.abs(shown(path).astype(int) - ramp(64, 64)).max() <= 1
    PIL.Image.fromarray(ramp(64, 64)).save(path, icc_profile=profile(curve=[563]))  # gamma 2.2
    assert np.abs(shown(path).astype(int) - ramp(64, 64)).max() > 1


@pytest.mark.parametrize(
    ("suffix", "depth"),
    [(".png", 8), (".png", 16), (".tif", 8), (".tif", 16), (".jpg", 8), (".webp", 8)],
)
@pytest.mark.parametrize("icc", [profile(), profile(name=b"sRGB", primaries=WIDE, curve=CURVE)])
def test_other_profiles_come_back_to_the_byte(
    tmp_path: Path, suffix: str, depth: int, icc: bytes
) -> None:
    path, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    save(Pixels(noise("RGB", depth).array, "RGB", icc), path)
    assert Image().read(path).meta["icc"] == icc
    Image().write(Image().read(path), out)
    assert load(out).icc == icc
    with PIL.Image.open(out) as image:
        assert image.info["icc_profile"] == icc
    save(Pixels(noise("RGB", depth).array, "RGB", LCMS), path)
    assert Image().read(path).meta["icc"] is None


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ({"gAMA": GAMMA_1}, ["gAMA"]),
        ({"gAMA": GAMMA_1, "cHRM": CHRM_2020}, ["gAMA", "cHRM"]),
        ({"gAMA": struct.pack(">I", 45455), "cHRM": CHRM_2020}, ["gAMA", "cHRM"]),
        ({"gAMA": struct.pack(">I", 45455)}, []),
        ({"sRGB": b"\0", "gAMA": GAMMA_1}, []),
        ({"cICP": bytes([9, 16, 0, 1]), "mDCV": bytes(24), "cLLI": bytes(8)},
         ["cICP", "mDCV", "cLLI"]),
        ({"cICP": bytes([1, 13, 0, 1]), "gAMA": GAMMA_1}, []),
        ({"gAMA": GAMMA_1 + b"!"}, []),  # of a wrong size: decoders ignore it
    ],
)  # fmt: skip
def test_colour_chunks_come_back_to_the_byte(
    tmp_path: Path, depth: int, written: dict[str, bytes], kept: list[str]
) -> None:
    path, out = tmp_path / "a.png", tmp_path / "b.png"
    save(Pixels(noise("RGB", depth).array, "RGB", None, written), path)
    signal = Image().read(path)
    assert signal.meta.get("colour", {}) == {name: written[name] for name in kept}
    Image().write(signal, out)
    assert load(out).colour == {name: written[name] for name in kept}
    with PIL.Image.open(out) as image:
        image.load()  # Pillow checks every checksum
        assert ("gamma" in image.info) == ("gAMA" in kept)


def test_colour_chunks_that_pillow_wrote(tmp_path: Path) -> None:
    path, out, info = tmp_path / "a.png", tmp_path / "b.png", PngInfo()
    info.add(b"gAMA", GAMMA_1)
    info.add(b"cHRM", CHRM_2020)
    PIL.Image.fromarray(ramp(5, 6)).save(path, pnginfo=info)
    Image().write(Image().read(path), out)
    with PIL.Image.open(path) as before, PIL.Image.open(out) as after:
        assert after.info["gamma"] == before.info["gamma"] == 1.0
        assert after.info["chromaticity"] == before.info["chromaticity"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("icc", "colour", "reason"),
    [
        (None, {"gAMA": GAMMA_1}, "gAMA"),
        (None, {"cHRM": CHRM_2020, "gAMA": GAMMA_1}, "gAMA and cHRM"),
        (profile(), {"cICP": bytes([9, 16, 0, 1])}, "cICP"),
        (profile(space=b"GRAY"), {}, "grey"),
        (profile(), {}, "profile"),
        (profile(), {"gAMA": GAMMA_1}, "profile"),  # the profile comes before gAMA
    ],
)
def test_a_format_that_cannot_say_how_pixels_look_is_refused(
    tmp_path: Path, suffix: str, icc: bytes | None, colour: dict[str, bytes], reason: str
) -> None:
    form, path = FORMATS[suffix], tmp_path / f"a{suffix}"
    if reason == "grey":
        holds = form.profile and form.name != "WEBP"
    elif reason == "profile":
        holds = form.profile
    else:
        holds = form.name == "PNG"
    pixels = Pixels(noise("L").array, "L", icc, colour)
    if holds:
        save(pixels, path)
        assert load(path).icc == icc
        return
    with pytest.raises(SignalError, match=rf"a\{suffix}: .*({reason}|profile).*use PNG"):
        save(pixels, path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_could_not_be_written_back_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save(Pixels(noise("RGB").array, "RGB", None, {"gAMA": GAMMA_1}), path)
    path.rename(tmp_path / "a.jpg")  # a PNG by another name
    with pytest.raises(SignalError, match=r"a\.jpg: .*gAMA.* cannot be written to JPEG; use PNG"):
        Image().read(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / "a")
    signal = Image().read(tmp_path / "a")
    assert Image().suffix(signal.meta) == ".png" and signal.meta["colour"] == {"gAMA": GAMMA_1}


def bitmap(space: bytes, gammas: bytes = bytes(12)) -> bytes:
    """A BMP of 1 by 1 pixel with a header of version 4."""
    head = struct.pack("<IiiHHIIiiII", 108, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0)
    head += bytes(16) + space[::-1] + bytes(36) + gammas
    return struct.pack("<2sIHHI", b"BM", 126, 0, 0, 122) + head + bytes([1, 2, 3, 0])


def test_colours_in_the_header_of_a_bmp(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    for space in (b"Win ", b"sRGB", bytes(4)):
        path.write_bytes(bitmap(space))
        assert load(path).array.tolist() == [[[3, 2, 1]]]
    for content in (bitmap(b"LINK"), bitmap(b"MBED"), bitmap(bytes(4), b"\0\0\1\0" * 3)):
        path.write_bytes(content)
        with pytest.raises(SignalError, match=r"a\.bmp: .* not sRGB; convert it to PNG"):
            load(path)


def test_a_header_declares_possible_colours_only() -> None:
    meta = {"shape": [4, 4], "mode": "RGB", "depth": 8, "suffix": ".png"}
    whole = {
        **meta,
        "icc": bytes(MAX_PROFILE_BYTES),
        "colour": {n: bytes(s) for n, s in CHUNKS.items()},
    }
    assert Image().shape(meta) == Image().shape(whole) == (4, 4)
    impossible: list[dict[str, object]] = [
        {"icc": "text"}, {"icc": bytes(MAX_PROFILE_BYTES + 1)}, {"colour": []},
        {"colour": {"gAMA": bytes(5)}}, {"colour": {"IDAT": b""}}, {"colour": {"gAMA": "1234"}},
    ]  # fmt: skip
    for wrong in impossible:
        with pytest.raises(SignalError, match="header"):
            Image().shape({**meta, **wrong})
