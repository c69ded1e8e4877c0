"""Images: files to signals and back, views, and quality."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import skimage.metrics
import tifffile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import Signal, View
from inrc.testing import check_modality
from inrc_modalities.image import Image
from inrc_modalities.image.pixels import LAYOUTS, MODES, Pixels
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import FORMATS, save

CHANNELS = {layout: channels for channels, layout in LAYOUTS.items()}
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
KODAK = sorted(
    (Path(__file__).parents[2] / "shared" / "data" / "images" / "kodak").glob("kodim*.png")
)


def noise(mode: str, depth: int = 8, height: int = 13, width: int = 21) -> Pixels:
    """Every level of noise, in any layout."""
    channels = 1 if mode == "1" else CHANNELS[mode]
    kind = np.uint16 if depth == 16 else np.uint8
    array = np.random.default_rng(7).integers(0, 1 << depth, (height, width, channels), dtype=kind)
    return Pixels(np.where(array > 127, 255, 0).astype(kind) if mode == "1" else array, mode)


def ramp(height: int, width: int) -> NDArray[np.uint8]:
    """Smooth colours."""
    y, x = np.mgrid[:height, :width]
    return np.stack(
        [255 * y / max(height - 1, 1), 255 * x / max(width - 1, 1), 128 + 0 * y], axis=-1
    ).astype(np.uint8)


def decode(modality: Image, path: Path, view: View, field: bool = False) -> Signal:
    """What a codec without loss would make of a view; `field` answers by position instead."""
    signal = modality.read(path)
    ask = modality.ask(signal.meta, view)
    if not field:
        return modality.join(modality.split(signal).features[list(ask.parts)], signal.meta, view)
    side = modality.patch or max(signal.shape)
    columns = grid.counts(signal.shape, modality._side(signal.shape))[1]
    corner = torch.tensor([divmod(part, columns) for part in ask.parts], dtype=torch.float64)
    size = torch.tensor(modality._side(signal.shape), dtype=torch.float64)
    local = (ask.queries.double() + 1) / 2 * size
    assert (local >= 0).all() and (local <= side).all()
    where = local + (corner * size)[:, None]  # pixels of the original
    fill = torch.zeros(*where.shape[:2], modality.channels - 2, dtype=torch.float64)
    return modality.join(torch.cat([where, fill], dim=-1), signal.meta, view)


# --- files ---------------------------------------------------------------------------------------


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
        found = np.atleast_3d(np.asarray(decoder(source)).astype(np.uint8)).reshape(13, 21, -1)
        if mode == "1" and found.max() == 1:
            found = found * 255
        wanted = pixels.array
        if found.shape[2] > wanted.shape[2]:  # WebP has no grey
            wanted = np.concatenate([wanted[..., :1]] * 3 + [wanted[..., 1:]], axis=-1)
        assert np.array_equal(found, wanted)


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
    body = b"tRNS" + struct.pack(">H", int(pixels.array[2, 3, 0]))
    chunk = struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "k.png").write_bytes(content[:33] + chunk + content[33:])
    found = load(tmp_path / "k.png")
    assert found.mode == "LA" and np.array_equal(found.array[..., :1], pixels.array)
    assert np.argwhere(found.array[..., 1] == 0).tolist() == [[2, 3]]


def test_tiff_variants_of_sixteen_bits(tmp_path: Path) -> None:
    array = noise("RGB", 16).array
    planar = np.moveaxis(array, -1, 0)
    tifffile.imwrite(tmp_path / "p.tif", planar, photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "w.tif", 65535 - array[..., 0], photometric="miniswhite")
    tifffile.imwrite(tmp_path / "b.tif", array, photometric="rgb", bigtiff=True, byteorder=">")
    assert np.array_equal(load(tmp_path / "p.tif").array, array)
    assert np.array_equal(load(tmp_path / "w.tif").array, array[..., :1])
    assert np.array_equal(load(tmp_path / "b.tif").array, array)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_a_viewer_shows_them(tmp_path: Path, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(ramp(5, 9)).save(tmp_path / "a.png", exif=exif)
    small = load(tmp_path / "a.png").array
    deep = ramp(5, 9).astype(np.uint16) * 257
    tag = (0x0112, "H", 1, orientation, True)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extratags=[tag])
    assert small.shape == ((9, 5, 3) if orientation > 4 else (5, 9, 3))
    assert np.array_equal(load(tmp_path / "a.tif").array, small * np.uint16(257))


@pytest.mark.parametrize(
    ("suffix", "depth"),
    [(".png", 8), (".png", 16), (".tif", 8), (".tif", 16), (".jpg", 8), (".webp", 8)],
)
def test_a_small_colour_profile_is_kept_and_srgb_is_not(
    tmp_path: Path, suffix: str, depth: int
) -> None:
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = srgb.replace(b"sRGB", b"wide").replace(b"s\0R\0G\0B", b"w\0i\0d\0e")
    pixels, path = noise("RGB", depth), tmp_path / f"a{suffix}"
    for icc, kept in [(other, other), (srgb, None), (None, None)]:
        save(Pixels(pixels.array, "RGB", icc), path)
        signal = Image().read(path)
        assert signal.meta["icc"] == kept
    save(Pixels(pixels.array, "RGB", other), path)
    Image().write(Image().read(path), tmp_path / f"b{suffix}")
    assert load(tmp_path / f"b{suffix}").icc == other


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


# --- refusals ------------------------------------------------------------------------------------


def test_refused_files_are_named_in_one_line(tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    save(noise("RGB", height=60, width=60), good)
    PIL.Image.new("CMYK", (4, 4)).save(tmp_path / "cmyk.jpg")
    PIL.Image.new("F", (4, 4)).save(tmp_path / "float.tif")
    PIL.Image.new("I", (4, 4)).save(tmp_path / "int.tif")
    tifffile.imwrite(tmp_path / "signed.tif", np.zeros((4, 4), np.int16))
    five = np.zeros((4, 4, 5), np.uint16)
    tifffile.imwrite(tmp_path / "five.tif", five, photometric="rgb", planarconfig="contig")
    pages = np.zeros((3, 4, 4), np.uint16)
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="minisblack")
    frames = [PIL.Image.new("RGB", (4, 4), c) for c in ("red", "blue")]
    for name in ("moving.png", "moving.webp", "moving.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    for name, reason in {
        "missing.png": "no such file", "folder.png": "a folder", "empty.png": "empty",
        "text.png": "not an image", "cmyk.jpg": "CMYK", "float.tif": "'F'", "int.tif": "'I'",
        "signed.tif": "16-bit samples", "five.tif": "5 per pixel", "pages.tif": "3 pictures",
        "moving.png": "2 pictures", "moving.webp": "2 pictures", "moving.tif": "2 pictures",
    }.items():  # fmt: skip
        with pytest.raises(SignalError) as caught:
            Image().read(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / name)) and reason in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("suffix", "depth"), [(s, 8) for s in FORMATS] + [(s, 16) for s in FORMATS if FORMATS[s].deep]
)
def test_cut_files_are_refused(tmp_path: Path, suffix: str, depth: int) -> None:
    path = tmp_path / f"a{suffix}"
    save(noise("RGB", depth, 40, 50), path)
    content = path.read_bytes()
    for keep in (3, 20, 30, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:keep])
        with pytest.raises(SignalError, match=f"a{suffix}"):
            load(path)


@QUICK
@given(st.data())
def test_damaged_files_never_raise_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from(sorted(FORMATS)))
    depth = 16 if FORMATS[suffix].deep and data.draw(st.booleans()) else 8
    path = tmp_path / f"d{suffix}"
    save(noise("RGB", depth), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        array = load(path).array
    except SignalError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
    else:
        assert array.ndim == 3


def test_bombs_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for depth, suffix in [(8, ".png"), (16, ".png"), (8, ".tif"), (16, ".tif"), (8, ".jpg")]:
        save(noise("RGB", depth), tmp_path / f"b{depth}{suffix}")
    for limit in (200, 100):  # Pillow warns above the limit and raises above its double
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
        for path in sorted(tmp_path.glob("b*")):
            with pytest.raises(SignalError, match="too large"):
                load(path)
    modality = Image(patch=4)
    meta = {"shape": [10, 9], "mode": "RGB", "depth": 8, "suffix": ".png", "icc": None}
    assert modality.shape(meta) == (10, 9)
    with pytest.raises(SignalError, match="limit"):
        modality.shape({**meta, "shape": [1 << 40, 1 << 40]})
    with pytest.raises(SignalError, match="limit"):
        modality.ask(meta, View(scale=1e300))


@pytest.mark.parametrize(
    "wrong",
    [{"shape": [0, 4]}, {"shape": [4]}, {"shape": "44"}, {"shape": [4, 4.0]}, {"mode": "CMYK"},
     {"depth": 12}, {"depth": 16, "mode": "1"}, {"icc": "text"}, {"icc": bytes(9999)},
     {"mode": ["L"]}, {"shape": [True, 4]}],
)  # fmt: skip
def test_impossible_headers_are_refused(wrong: dict[str, object]) -> None:
    meta = {"shape": [4, 4], "mode": "RGB", "depth": 8, "suffix": ".png", "icc": None}
    with pytest.raises(SignalError, match="header"):
        Image().shape({**meta, **wrong})


def test_writing_fails_cleanly(tmp_path: Path) -> None:
    pixels = noise("RGB")
    for path in (tmp_path / "a.gif", tmp_path / "no" / "a.png", tmp_path):
        with pytest.raises(SignalError, match=r"write|written"):
            save(pixels, path)
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(SignalError, match="cannot be written"):
        save(pixels, tmp_path / "taken.png")
    assert [p.name for p in tmp_path.iterdir()] == ["taken.png"]


@pytest.mark.parametrize("wrong", [{"patch": 0}, {"patch": -3}, {"channels": 0}, {"channels": 5}])
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SignalError):
        Image(**wrong)  # type: ignore[arg-type]


# --- parts and views -----------------------------------------------------------------------------


@QUICK
@given(st.integers(1, 30), st.integers(1, 30), st.none() | st.integers(1, 12))
def test_parts_are_asked_as_they_were_cut_and_join_again(
    tmp_path: Path, height: int, width: int, patch: int | None
) -> None:
    path, modality = tmp_path / "a.png", Image(patch)
    save(noise("RGB", 8, height, width), path)
    whole = modality.read(path)
    signal, ask = modality.split(whole), modality.ask(whole.meta, View())
    assert torch.equal(ask.queries, signal.queries)
    assert ask.parts == tuple(range(signal.parts))
    again = modality.join(signal.features, whole.meta, View())
    assert torch.equal(again.features, whole.features) and again.meta == whole.meta
    assert torch.equal(again.queries, whole.queries) and again.shape == (height, width)
    assert modality.count(whole.shape) == height * width
    assert type(modality)(**modality.settings()).settings() == modality.settings()


@QUICK
@given(
    st.integers(1, 30), st.integers(1, 30), st.none() | st.integers(1, 12),
    st.none() | st.floats(0.02, 5.0), st.booleans(), st.data(),
)  # fmt: skip
def test_every_pixel_of_a_view_is_asked_where_it_lies(
    tmp_path: Path, height: int, width: int, patch: int | None, scale: float | None,
    cut: bool, data: st.DataObject,
) -> None:  # fmt: skip
    path = tmp_path / "a.png"
    save(noise("RGB", 8, height, width), path)
    rows, columns = (max(1, round(n * (scale or 1.0))) for n in (height, width))
    at = None
    if scale is None and data.draw(st.booleans()):
        rows, columns = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
        at = tmp_path / "other.png"
        save(noise("L", 8, rows, columns), at)
    y = (np.arange(rows) + 0.5) * height / rows
    x = (np.arange(columns) + 0.5) * width / columns
    region: tuple[tuple[str, float, float], ...] = ()
    if cut:
        low, high = sorted(data.draw(st.tuples(st.integers(0, height), st.integers(0, height))))
        region = (("y", low, high),)
        y = y[(y >= low) & (y < high)]
    view = View(scale, region, at)
    if not len(y):
        with pytest.raises(SignalError, match="region"):
            decode(Image(patch), path, view, field=True)
        return
    if not view:
        return
    found = decode(Image(patch), path, view, field=True)
    assert found.meta["shape"] == [len(y), len(x)] == list(found.shape)
    where = found.features.reshape(len(y), len(x), 3)
    assert np.allclose(where[..., 0], np.broadcast_to(y[:, None], where.shape[:2]), atol=1e-4)
    assert np.allclose(where[..., 1], np.broadcast_to(x[None], where.shape[:2]), atol=1e-4)


def test_a_region_asks_only_the_patches_that_it_touches(tmp_path: Path) -> None:
    path, modality = tmp_path / "a.png", Image(8)
    save(noise("RGB", 8, 32, 40), path)
    meta = modality.read(path).meta
    ask = modality.ask(meta, View(region=(("y", 8.0, 16.0), ("x", 9.0, 17.0))))
    assert ask.parts == (6, 7)
    aligned = modality.ask(meta, View(region=(("y", 8.0, 24.0), ("x", 16.0, 24.0))))
    assert aligned.parts == (7, 12)
    assert torch.equal(aligned.queries, grid.coordinates((8, 8))[None])
    found = decode(modality, path, View(region=(("y", 8.0, 24.0), ("x", 16.0, 24.0))))
    modality.write(found, tmp_path / "cut.png")
    assert np.array_equal(load(tmp_path / "cut.png").array, load(path).array[8:24, 16:24])


def test_whole_scales_share_one_grid(tmp_path: Path) -> None:
    path, modality = tmp_path / "a.png", Image(8)
    save(noise("RGB", 8, 20, 20), path)
    ask = modality.ask(modality.read(path).meta, View(scale=2.0))
    assert ask.parts == tuple(range(9))
    assert torch.allclose(ask.queries, grid.coordinates((16, 16))[None], atol=1e-6)


@pytest.mark.parametrize(
    "view",
    [View(scale=0.0), View(scale=-1.0), View(scale=float("nan")), View(scale=float("inf")),
     View(region=(("z", 0, 1),)), View(region=(("y", 0, 1), ("y", 0, 1))),
     View(region=(("y", 5, 5),)), View(region=(("x", 99, 120),)), View(region=(("x", 4, 2),)),
     View(region=(("x", float("nan"), 2),)), View(at=Path("nowhere.png"))],
)  # fmt: skip
def test_views_without_sense_are_refused(tmp_path: Path, view: View) -> None:
    path = tmp_path / "a.png"
    save(noise("RGB"), path)
    with pytest.raises(SignalError):
        Image(8).ask(Image(8).read(path).meta, view)
    with pytest.raises(SignalError, match="both"):
        Image(8).ask(Image(8).read(path).meta, View(scale=2.0, at=path))


# --- quality -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "depth", "side"),
    [("RGB", 8, 64), ("L", 8, 48), ("LA", 8, 30), ("RGB", 16, 40), ("RGBA", 16, 24)],
)
def test_measures_agree_with_scikit_image(tmp_path: Path, mode: str, depth: int, side: int) -> None:
    rng, peak = np.random.default_rng(0), (1 << depth) - 1
    smooth = np.resize(ramp(side, side + 5) * (peak / 255), (side, side + 5, CHANNELS[mode]))
    kind = np.uint16 if depth == 16 else np.uint8
    a = smooth.astype(kind)
    b = np.clip(smooth + rng.normal(0, 0.03 * peak, a.shape), 0, peak).astype(kind)
    for name, array in (("a.png", a), ("b.png", b)):
        save(Pixels(array, mode), tmp_path / name)
    found = Image(channels=CHANNELS[mode]).measure(tmp_path / "a.png", tmp_path / "b.png")
    psnr = skimage.metrics.peak_signal_noise_ratio(a, b, data_range=peak)
    ssim = skimage.metrics.structural_similarity(
        a.astype(float), b.astype(float), channel_axis=-1, data_range=peak,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert found["psnr"] == pytest.approx(psnr, abs=1e-9)
    assert found["ssim"] == pytest.approx(ssim, abs=5e-5)  # single precision
    assert found["max_error"] == np.abs(a.astype(float) - b).max()


def test_measures_of_large_tiny_equal_and_unlike_images(tmp_path: Path) -> None:
    for name, array in {
        "large.png": ramp(161, 170), "large.jpg": ramp(161, 170), "tiny.png": ramp(3, 3),
    }.items():  # fmt: skip
        save(Pixels(array, "RGB"), tmp_path / name)
    large = Image().measure(tmp_path / "large.png", tmp_path / "large.jpg")
    assert 0.98 < large["ms_ssim"] < 1.0 and large["psnr"] > 40 and "ssim" not in large
    tiny = Image().measure(tmp_path / "tiny.png", tmp_path / "tiny.png")
    assert tiny == {"psnr": float("inf"), "max_error": 0.0}
    with pytest.raises(SignalError, match="3 by 3"):
        Image().measure(tmp_path / "large.png", tmp_path / "tiny.png")


def test_measure_compares_depths_and_layouts_on_the_scale_of_the_original(tmp_path: Path) -> None:
    array = noise("L").array
    save(Pixels(array, "L"), tmp_path / "a.png")
    save(Pixels(array * np.uint16(257), "L"), tmp_path / "deep.png")
    save(Pixels(np.repeat(array, 3, axis=-1), "RGB"), tmp_path / "rgb.png")
    for other in ("deep.png", "rgb.png"):
        assert Image().measure(tmp_path / "a.png", tmp_path / other)["max_error"] == 0.0


def test_pictures_to_look_at(tmp_path: Path) -> None:
    see_through = noise("RGBA").array.copy()
    see_through[0, 0] = (10, 20, 30, 0)
    save(Pixels(see_through, "RGBA"), tmp_path / "a.png")
    save(noise("L", 16), tmp_path / "b.png")
    first, second = Image(channels=4).picture(tmp_path / "a.png", tmp_path / "b.png")
    assert first["image"].shape == (13, 21, 3) and first["image"][0, 0].tolist() == [1.0] * 3
    assert (
        second["image"].shape == (13, 21)
        and 0 <= second["image"].min() < second["image"].max() <= 1
    )


# --- samples and real photographs ----------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_samples_are_readable_seeded_and_written_once(tmp_path: Path, channels: int) -> None:
    modality = Image(channels=channels)
    paths = modality.sample(tmp_path / "a", 3, 3)
    contents = [path.read_bytes() for path in paths]
    times = [path.stat().st_mtime_ns for path in paths]
    assert modality.sample(tmp_path / "a", 3, 3) == paths
    assert [path.stat().st_mtime_ns for path in paths] == times
    assert [p.read_bytes() for p in modality.sample(tmp_path / "b", 3, 4)][:3] == contents
    assert [p.read_bytes() for p in modality.sample(tmp_path / "b", 4, 3)] != contents
    assert len(set(contents)) == 3
    paths[1].unlink()
    assert modality.sample(tmp_path / "a", 3, 3)[1].read_bytes() == contents[1]
    for path in paths:
        assert modality.read(path).meta["mode"] == LAYOUTS[channels]


def test_samples_have_the_spectrum_of_photographs(tmp_path: Path) -> None:
    paths = Image().sample(tmp_path, 0, 12)
    grey = np.stack([load(path).array.mean(axis=-1) for path in paths])
    window = np.hanning(64)[:, None] * np.hanning(64)
    power = (np.abs(np.fft.fft2((grey - grey.mean((1, 2), keepdims=True)) * window)) ** 2).mean(0)
    f = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    bands = [power[(f >= low) & (f < 2 * low)].mean() for low in (1 / 32, 1 / 16, 1 / 8, 1 / 4)]
    slope = np.polyfit(range(4), np.log2(bands), 1)[0]
    assert -3.5 < slope < -1.5  # 1/f^2 in power, steeper for a smooth scene
    assert 25 < grey.std() < 80 and 70 < grey.mean() < 185


@pytest.mark.skipif(not KODAK, reason="no Kodak images at hand")
def test_real_photographs(tmp_path: Path) -> None:
    modality, path, out = Image(32), KODAK[0], tmp_path / "out.png"
    signal = modality.split(modality.read(path))
    assert signal.features.shape == (384, 1024, 3)
    modality.write(modality.join(signal.features, signal.meta, View()), out)
    assert modality.measure(path, out)["max_error"] == 0.0
    assert out.stat().st_size < 1.1 * path.stat().st_size
    half = decode(modality, path, View(scale=0.5), field=True)
    assert half.shape == (256, 384) and half.features.shape == (1, 98304, 3)
