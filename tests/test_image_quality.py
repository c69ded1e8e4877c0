"""Measures, pictures to look at, samples and photographs."""

from pathlib import Path

import numpy as np
import pytest
import skimage.metrics
from image_files import CHANNELS, KODAK, decode, noise, ramp

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.image import Image
from inrc_modalities.image.pixels import LAYOUTS, Pixels
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import save


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
    measures = Image(channels=CHANNELS[mode]).measure(tmp_path / "a.png", tmp_path / "b.png")
    psnr = skimage.metrics.peak_signal_noise_ratio(a, b, data_range=peak)
    ssim = skimage.metrics.structural_similarity(
        a.astype(float), b.astype(float), channel_axis=-1, data_range=peak,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert measures["psnr"] == pytest.approx(psnr, abs=1e-9)
    assert measures["ssim"] == pytest.approx(ssim, abs=5e-5)  # single precision
    assert measures["max_error"] == np.abs(a.astype(float) - b).max()


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
