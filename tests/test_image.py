"""Images: files to signals and back."""

import struct
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
import torch
from image_files import CHANNELS, noise, ramp

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import Signal
from inrc.testing import check_modality
from inrc_modalities.image import Image, png
from inrc_modalities.image.pixels import LAYOUTS, MODES, Pixels
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import FORMATS, save


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("mode", "depth"), [(m, 8) for m in MODES] + [(m, 16) for m in CHANNELS])
def test_write_then_read_changes_nothing(
    tmp_path: Path, mode: str, depth: int, suffix: str
) -> None:
    form, pixels, path = FORMATS[suffix], noise(mode, depth), tmp_path / f"a{suffix}"
    if mode not in form.stored or (depth == 16 and not form.deep):
        with pytest.raises(SignalError, match="transparency" if depth == 8 else "16-bit"):
            save(pixels, path)
        assert not list(tmp_path.iterdir())
        return
    save(pixels, path)
    first = tmp_path / "first.png"
    save(pixels, first)
    channels = CHANNELS.get(mode, 1)
    signal = Image(channels=channels).read(first)
    Image(channels=channels).write(signal, path)
    again = Image(channels=channels).read(path)
    if form.name == "JPEG":
        assert (again.features - signal.features).abs().mean() < 0.1
        assert again.meta["mode"] == ("RGB" if channels == 3 else "L")
    else:
        assert torch.equal(again.features, signal.features)
        assert again.meta["depth"] == depth
    assert signal.meta == {
        "shape": [13, 21], "mode": mode, "depth": depth, "suffix": ".png", "icc": None
    }  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_eight_bit_files_mean_the_same_to_other_software(tmp_path: Path, mode: str) -> None:
    pixels = noise(mode)
    for suffix, decoder in [
        (".png", imagecodecs.png_decode),
        (".webp", imagecodecs.webp_decode),
        (".tif", tifffile.imread),
    ]:
        path = tmp_path / f"a{suffix}"
        save(pixels, path)
        source = path if suffix == ".tif" else path.read_bytes()
        array = np.atleast_3d(np.asarray(decoder(source)).astype(np.uint8)).reshape(13, 21, -1)
        if mode == "1" and array.max() == 1:
            array = array * 255
        expected = pixels.array
        if array.shape[2] > expected.shape[2]:  # WebP stores grey as RGB
            expected = np.concatenate([expected[..., :1]] * 3 + [expected[..., 1:]], axis=-1)
        assert np.array_equal(array, expected)


@pytest.mark.parametrize("mode", CHANNELS)
def test_sixteen_bit_files_mean_the_same_to_other_software(tmp_path: Path, mode: str) -> None:
    pixels = noise(mode, 16)
    save(pixels, tmp_path / "a.png")
    save(pixels, tmp_path / "a.tif")
    png = imagecodecs.png_decode((tmp_path / "a.png").read_bytes())
    assert np.array_equal(np.squeeze(pixels.array), png)
    assert np.array_equal(np.squeeze(pixels.array), tifffile.imread(tmp_path / "a.tif"))
    with PIL.Image.open(tmp_path / "a.png") as image:
        image.load()  # Pillow checks every chunk's CRC
        assert image.size == (21, 13)


def test_palettes_and_transparent_keys_become_colours(tmp_path: Path) -> None:
    colours = np.repeat(ramp(4, 4)[:, :, :], 2, axis=0)
    image = PIL.Image.fromarray(colours).quantize(16)
    image.save(tmp_path / "p.png")
    plain = load(tmp_path / "p.png")
    assert plain.mode == "RGB"
    assert np.array_equal(plain.array, np.asarray(image.convert("RGB")))
    image.save(tmp_path / "t.png", transparency=image.getpixel((0, 0)))
    see_through = load(tmp_path / "t.png")
    assert see_through.mode == "RGBA" and see_through.array[0, 0, 3] == 0
    assert np.array_equal(see_through.array[..., :3], plain.array)
    grey = PIL.Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4))
    grey.save(tmp_path / "g.png", transparency=5)
    keyed = load(tmp_path / "g.png")
    assert keyed.mode == "LA"
    assert (keyed.array[..., 1] == 0).sum() == 1 and keyed.array[1, 1, 1] == 0


def test_sixteen_bit_transparent_key(tmp_path: Path) -> None:
    pixels = noise("L", 16)
    save(pixels, tmp_path / "a.png")
    key = png.chunk(b"tRNS", struct.pack(">H", int(pixels.array[2, 3, 0])))
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "k.png").write_bytes(content[:33] + key + content[33:])
    keyed = load(tmp_path / "k.png")
    assert keyed.mode == "LA" and np.array_equal(keyed.array[..., :1], pixels.array)
    assert np.argwhere(keyed.array[..., 1] == 0).tolist() == [[2, 3]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("trivial", [True, False])
def test_other_channels_convert_exactly_or_are_refused(
    tmp_path: Path, mode: str, channels: int, trivial: bool
) -> None:
    array = noise(mode).array.copy()
    colours, alpha = MODES[mode]
    if trivial:
        array[..., :colours] = array[..., :1]
        if alpha:
            array[..., -1] = 255
    path, out = tmp_path / "a.png", tmp_path / "b.png"
    save(Pixels(array, mode), path)
    target, has_alpha = MODES[LAYOUTS[channels]]
    if not trivial and (target < colours or alpha > has_alpha):
        with pytest.raises(SignalError, match=r"a\.png: .* would lose their (colours|transp)"):
            Image(channels=channels).read(path)
        return
    signal = Image(channels=channels).read(path)
    assert signal.features.shape == (1, 13 * 21, channels)
    Image(channels=channels).write(signal, out)
    assert load(out).mode == mode and np.array_equal(load(out).array, array)


def test_levels_are_rounded_to_the_nearest_and_clamped(tmp_path: Path) -> None:
    modality = Image(channels=1)
    values = torch.tensor([-3.0, 0.4 / 255, 0.6 / 255, 100.49 / 255, 254.6 / 255, 9.0, torch.nan])
    meta = {"shape": [1, 7], "mode": "L", "depth": 8, "suffix": ".png", "icc": None}
    signal = Signal(grid.coordinates((1, 7))[None], values.reshape(1, 7, 1), (1, 7), meta)
    modality.write(signal, tmp_path / "a.png")
    assert load(tmp_path / "a.png").array.ravel().tolist() == [0, 0, 1, 100, 255, 255, 0]


@pytest.mark.parametrize("patch", [None, 8])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_law_of_modalities_is_kept(tmp_path: Path, patch: int | None, channels: int) -> None:
    mode, paths = LAYOUTS[channels], [tmp_path / "a.png", tmp_path / "b.tif", tmp_path / "c.png"]
    save(noise(mode), paths[0])
    save(noise(mode, 16), paths[1])
    save(noise("1"), paths[2])
    (tmp_path / "empty").mkdir()
    check_modality(Image(patch, channels), paths, tmp_path / "empty")


def test_a_codec_needs_no_trainer() -> None:
    code = "import sys, inrc_modalities.image; sys.exit('lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(ImportError, match="Nothing"):
        from inrc_modalities.image import Nothing  # noqa: F401


def test_an_archive_of_jpegs_is_measured_without_a_second_loss(tmp_path: Path) -> None:
    modality = Image(8, 3)
    for name in ("a.JPG", "a.jfif", "a.b.tiff", "a.mpo", "a"):
        assert modality.measurable(tmp_path / name) == ".png"
    assert modality.ending("x.tar.webp") == ".webp"
