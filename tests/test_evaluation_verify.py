"""The ruler against computations of others: Pillow, skimage, demuxers, published figures."""

import io
import os
from pathlib import Path

import av
import numpy as np
import pytest
import skimage.metrics
import soundfile
from PIL import Image as Pillow

from inrc import metrics
from inrc.evaluation.published import published
from inrc.evaluation.trial import Trial, try_codec
from inrc_modalities.audio import Audio
from inrc_modalities.image import Image
from inrc_modalities.video import Video

MODEL = Path(__file__).parent / "golden/v1/contexts/codec.safetensors"
DATA = Path(os.environ.get("INRC_DATA", Path(__file__).parents[2] / "shared/data"))
KODAK = sorted((DATA / "images/kodak").glob("*.png"))
kodak = pytest.mark.skipif(not KODAK, reason="no Kodak images here (INRC_DATA/images/kodak)")


def plain_psnr(one: Pillow.Image, two: Pillow.Image) -> float:
    a, b = (np.asarray(each.convert("RGB"), np.float64) for each in (one, two))
    return float(10 * np.log10(255.0**2 / ((a - b) ** 2).mean()))


@kodak
def test_jpeg_at_quality_75_is_what_pillow_and_numpy_say() -> None:
    row = try_codec(Trial(MODEL, KODAK[0], "JPEG", 75.0, repeats=0))
    with Pillow.open(KODAK[0]) as image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=75, optimize=True)
        size, pixels = len(buffer.getvalue()), image.width * image.height
        with Pillow.open(buffer) as decoded:
            psnr = plain_psnr(image, decoded)
    assert row.bytes == size and row.units == pixels
    assert row.rate == pytest.approx(8 * size / pixels)
    assert row.measures["psnr"] == pytest.approx(psnr, abs=1e-9)
    ours = try_codec(Trial(MODEL, KODAK[0], "JPEG 2000", 30.0, repeats=0))
    assert ours.measures["psnr"] == pytest.approx(30.0, abs=0.5)  # it aims at a PSNR


@kodak
@pytest.mark.parametrize("method", ["JPEG", "JPEG2000"])
def test_published_points_are_within_what_so_few_images_allow(method: str) -> None:
    """Mean PSNR at equal rates for each image; published for 24 images, here for those there are.

    The mean over n of 24 images has a standard error of s / sqrt(n) * sqrt((24 - n) / 23).
    """
    (paper,) = [each for each in published("kodak") if each.method == method]
    points = [
        (rate, quality)
        for rate, quality in zip(paper.rates, paper.quality, strict=True)
        if 0.3 < rate < 1.0
    ]
    files = KODAK[:12]
    for rate, quality in (points[0], points[-1]):
        measured = []
        for file in files:
            with Pillow.open(file) as image:
                measured.append(_at_rate(image.convert("RGB"), rate, method))
        error = np.std(measured, ddof=1) / len(files) ** 0.5 * ((24 - len(files)) / 23) ** 0.5
        assert np.mean(measured) == pytest.approx(quality, abs=2 * error + 0.3), f"{rate} bpp"


def _at_rate(image: Pillow.Image, rate: float, method: str) -> float:
    """PSNR of one image at a rate: JPEG 2000 aims at it, JPEG lies between two qualities."""
    pixels = image.width * image.height
    if method == "JPEG2000":
        buffer = io.BytesIO()
        image.save(
            buffer, "JPEG2000", quality_mode="rates", quality_layers=[24 / rate],
            irreversible=True, mct=1, no_jp2=True,
        )  # fmt: skip
        return plain_psnr(image, Pillow.open(buffer))
    rates, quality = [], []
    for level in (3, 8, 20, 50, 80):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=level)
        rates.append(8 * len(buffer.getvalue()) / pixels)
        quality.append(plain_psnr(image, Pillow.open(buffer)))
    return float(np.interp(np.log(rate), np.log(rates), quality))


def test_psnr_is_that_of_skimage() -> None:
    random = np.random.default_rng(0)
    a = random.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    b = random.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    theirs = skimage.metrics.peak_signal_noise_ratio(a, b, data_range=255)
    assert metrics.psnr(a, b, 255.0) == pytest.approx(float(theirs), abs=1e-9)
    theirs = skimage.metrics.mean_squared_error(a, b)
    assert metrics.rmse(a, b) == pytest.approx(float(theirs) ** 0.5)
    assert metrics.psnr(np.zeros(4), np.full(4, 0.1), 1.0) == pytest.approx(20.0)  # closed form


def test_mp3_rates_are_those_of_the_container(tmp_path: Path) -> None:
    rate, seconds = 16000, 4
    time = np.arange(rate * seconds) / rate
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * (300 + 200 * time) * time), rate, "PCM_16")
    (mp3,) = [each for each in Audio().baselines() if each.name == "MP3"]
    for kilobits in (32, 64):
        data = mp3.encode(path, kilobits)
        with av.open(io.BytesIO(data)) as container:
            sizes = [packet.size for packet in container.demux() if packet.size]
        # tags and a frame about the file, and the packets of 576 samples each: nothing else
        assert 0 <= len(data) - sum(sizes) < 700
        lasts = len(sizes) * 576 / rate
        assert seconds <= lasts < seconds + 0.2
        assert 8 * sum(sizes) / lasts / 1000 == pytest.approx(kilobits, rel=0.01)


def test_x265_rates_are_those_of_the_container(tmp_path: Path) -> None:
    (path,) = Video().sample(tmp_path, 0, 1)
    (x265,) = [each for each in Video().baselines() if "265" in each.name]
    data = x265.encode(path, x265.qualities[len(x265.qualities) // 2])
    with av.open(str(path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    with av.open(io.BytesIO(data), format="hevc") as container:
        sizes = [packet.size for packet in container.demux() if packet.size]
    assert len(sizes) == frames
    assert sum(sizes) == len(data)  # a bare stream: packets, and nothing else


def test_image_measures_use_the_conventions_that_are_stated(tmp_path: Path) -> None:
    """Peak 255, all channels pooled, after rounding: a file one level off has 48.13 dB."""
    for name, level in (("a", 100), ("b", 101)):
        Pillow.fromarray(np.full((32, 32, 3), level, np.uint8)).save(tmp_path / f"{name}.png")
    measures = Image().measure(tmp_path / "a.png", tmp_path / "b.png")
    assert measures["psnr"] == pytest.approx(20 * np.log10(255), abs=1e-9)
