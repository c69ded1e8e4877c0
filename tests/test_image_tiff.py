"""TIFF files of every kind: the same pixels, or a refusal."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_files import noise, profile, ramp
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.image import Image
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import save

GREY, RGB, RGBA = (noise(mode).array for mode in ("L", "RGB", "RGBA"))
STRAIGHT = ["unassalpha"]


def refused(path: Path, reason: str) -> None:
    """Check that a file is refused in one line with a reason."""
    with pytest.raises(SignalError, match=reason) as caught:
        Image(channels=4).read(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def comes_back(path: Path, array: NDArray[Any]) -> None:
    """Check that a file holds these pixels, and so does the TIFF that is written from it."""
    assert np.array_equal(load(path).array, array)
    out = path.with_name("out.tif")
    Image(channels=4).write(Image(channels=4).read(path), out)
    assert np.array_equal(np.atleast_3d(tifffile.imread(out)).reshape(array.shape), array)
    assert tifffile.imread(out).dtype == array.dtype


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd"])
def test_every_way_to_store_the_same_samples(
    tmp_path: Path, mode: str, depth: int, byteorder: str, compression: str | None
) -> None:
    array, path = noise(mode, depth, 40, 56).array, tmp_path / "a.tif"
    options: dict[str, Any] = {"photometric": "minisblack" if mode == "L" else "rgb"}
    planar = array[..., 0] if mode == "L" else np.moveaxis(array, -1, 0)
    layouts: list[tuple[NDArray[Any], str | None]] = [(planar, "separate")]
    if mode == "L":
        layouts = [(planar, None)]
    else:
        layouts.append((array, "contig"))
    ways = itertools.product(layouts, [None, (16, 32)], [False, True], [False, True])
    for (data, config), tile, predictor, big in ways:
        if predictor and compression in (None, "packbits"):
            continue
        tifffile.imwrite(
            path, data, planarconfig=config, tile=tile, predictor=predictor, bigtiff=big,
            byteorder=byteorder, compression=compression, rowsperstrip=None if tile else 7,
            extrasamples=STRAIGHT if mode == "RGBA" else None, **options,
        )  # fmt: skip
        assert np.array_equal(load(path).array, array)
    comes_back(path, array)


@pytest.mark.parametrize("depth", [8, 16])
def test_white_may_be_zero(tmp_path: Path, depth: int) -> None:
    array = noise("L", depth).array
    peak = np.iinfo(array.dtype).max
    tifffile.imwrite(tmp_path / "a.tif", (peak - array)[..., 0], photometric="miniswhite")
    comes_back(tmp_path / "a.tif", array)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    ("photometric", "channels", "extra"),
    [("rgb", 4, ["unspecified"]), ("rgb", 5, ["unspecified"] * 2),
     ("rgb", 5, ["unassalpha", "unspecified"]), ("minisblack", 2, ["unspecified"]),
     ("minisblack", 5, ["unspecified"] * 4)],
)  # fmt: skip
def test_bands_beside_the_colours_are_refused(
    tmp_path: Path, photometric: str, channels: int, extra: list[str], depth: int
) -> None:
    array = np.full((5, 6, channels), 7, np.uint8 if depth == 8 else np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif",
        array,
        photometric=photometric,
        planarconfig="contig",
        extrasamples=extra,
    )
    refused(tmp_path / "a.tif", f"{channels} samples per pixel, {len(extra)} of them neither")


@pytest.mark.parametrize("depth", [8, 16])
def test_premultiplied_opacity_is_refused_unless_all_is_opaque(tmp_path: Path, depth: int) -> None:
    array = noise("RGBA", depth).array.copy()
    options: dict[str, Any] = {"photometric": "rgb", "extrasamples": ["assocalpha"]}
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    refused(tmp_path / "a.tif", "premultiplied opacity is not supported; save it with straight")
    array[..., 3] = np.iinfo(array.dtype).max
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    comes_back(tmp_path / "a.tif", array)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=STRAIGHT)
    comes_back(tmp_path / "a.tif", array)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_a_viewer_shows_them(tmp_path: Path, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(ramp(5, 9)).save(tmp_path / "a.png", exif=exif)
    small = load(tmp_path / "a.png").array
    assert small.shape == ((9, 5, 3) if orientation > 4 else (5, 9, 3))
    tag = (0x0112, "H", 1, orientation, True)
    path = tmp_path / "a.tif"
    for factor in (np.uint8(1), np.uint16(257)):
        tifffile.imwrite(path, ramp(5, 9) * factor, photometric="rgb", extratags=[tag])
        comes_back(path, small * factor)
    palette = PIL.Image.fromarray(ramp(5, 9)).quantize(255)
    palette.save(path, tiffinfo={0x0112: orientation})
    palette.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(load(path).array, load(tmp_path / "a.png").array)


def test_what_pillow_decodes(tmp_path: Path) -> None:
    path, photo = tmp_path / "a.tif", PIL.Image.fromarray(ramp(40, 56))
    photo.convert("1").save(path, compression="group4")
    assert load(path).mode == "1"
    assert np.array_equal(load(path).array[..., 0], np.asarray(photo.convert("1")) * np.uint8(255))
    photo.quantize(16).save(path)
    assert np.array_equal(load(path).array, np.asarray(photo.quantize(16).convert("RGB")))
    photo.save(path, compression="jpeg", quality=95)
    with PIL.Image.open(path) as image:
        assert np.abs(load(path).array.astype(int) - np.asarray(image.convert("RGB"))).max() <= 2


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("CMYK", "SEPARATED colours"), ("LAB", "CIELAB colours"), ("YCbCr", "YCbCr"),
     ("F", "samples of type float32"), ("I", "samples of type int32")],
)  # fmt: skip
def test_other_colours_and_numbers_are_refused(tmp_path: Path, mode: str, reason: str) -> None:
    PIL.Image.new("RGB", (6, 5), "red").convert("L" if mode in "FI" else "RGB").convert(mode).save(
        tmp_path / "a.tif"
    )
    refused(tmp_path / "a.tif", reason)


@pytest.mark.parametrize(
    "kind", [np.int8, np.int16, np.uint32, np.float16, np.float32, np.complex64]
)
def test_samples_of_other_types_are_refused(tmp_path: Path, kind: type) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6), kind), photometric="minisblack")
    refused(tmp_path / "a.tif", f"samples of type {np.dtype(kind)} are not supported; convert")


def test_several_pictures_are_refused_and_overviews_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for second in (0, 4):  # a page, a transparency mask
        with tifffile.TiffWriter(path) as writer:
            writer.write(RGB, photometric="rgb")
            writer.write(RGB[..., 0] > 9, photometric="minisblack", subfiletype=second)
        refused(path, "2 pictures in one file; save the one you want")
    with tifffile.TiffWriter(path) as writer:
        writer.write(RGB, photometric="rgb")
        writer.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
        writer.write(RGB[::4, ::4], photometric="rgb", subfiletype=1)
    comes_back(path, RGB)
    with tifffile.TiffWriter(path) as writer:
        writer.write(RGB, photometric="rgb", subfiletype=1)
    refused(path, "a preview of another picture")
    tifffile.imwrite(path, np.zeros((3, 5, 6), np.uint8), photometric="minisblack", volumetric=True)
    refused(path, "samples of type")
    tifffile.imwrite(path, np.zeros((3, 5, 6), np.uint8), imagej=True)
    refused(path, "3 pictures")


def rationals(*values: float) -> tuple[int, ...]:
    """Numbers as TIFF stores them, each two integers."""
    return tuple(n for value in values for n in (round(value * 10000), 10000))


def test_colour_tags_that_are_not_srgb_need_a_profile(tmp_path: Path) -> None:
    white = (318, "2I", 2, rationals(0.3127, 0.329), True)
    srgb = (319, "2I", 6, rationals(0.64, 0.33, 0.3, 0.6, 0.15, 0.06), True)
    wide = (319, "2I", 6, rationals(0.708, 0.292, 0.17, 0.797, 0.131, 0.046), True)
    curve = (301, "H", 256, tuple(257 * n for n in range(256)), True)
    path = tmp_path / "a.tif"
    for tags, icc in [([white, srgb], None), ([white, wide], profile()), ([curve], profile())]:
        tifffile.imwrite(path, RGB, photometric="rgb", extratags=tags, iccprofile=icc)
        comes_back(path, RGB)
        assert load(path).icc == icc
    for tags in ([white, wide], [curve]):
        tifffile.imwrite(path, RGB, photometric="rgb", extratags=tags)
        refused(path, "tags declare colours that are not sRGB; embed a colour profile")


@pytest.mark.parametrize("depth", [8, 16])
def test_missing_pixels_are_refused(tmp_path: Path, depth: int) -> None:
    array, path = noise("RGB", depth).array.copy(), tmp_path / "a.tif"
    array[array == 9] = 8
    missing = (42113, "s", 0, "9", True)
    tifffile.imwrite(path, array, photometric="rgb", extratags=[missing])
    comes_back(path, array)  # declared, but no pixel has the value
    array[3, 4, 1] = 9
    tifffile.imwrite(path, array, photometric="rgb", extratags=[missing])
    refused(path, r"pixels of value 9 are declared missing \(GDAL_NODATA\); fill them")


@pytest.mark.parametrize("depth", [8, 16])
def test_absent_strips_are_not_filled_with_zeros(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "a.tif"
    array = noise("L", depth, 40, 56).array[..., 0]
    tifffile.imwrite(path, array, rowsperstrip=10, photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        counts = tiff.pages.first.tags["StripByteCounts"]
        counts.overwrite([0, *counts.value[1:]])
    refused(path, "damaged; some of its strips or tiles are missing")


def test_the_layouts_of_pillow_and_of_others_agree(tmp_path: Path) -> None:
    for mode in ("L", "LA", "RGB", "RGBA"):
        pixels = noise(mode)
        save(pixels, tmp_path / "a.tif")
        with PIL.Image.open(tmp_path / "a.tif") as image:
            assert image.mode == mode
            assert np.array_equal(np.asarray(image).reshape(pixels.array.shape), pixels.array)
