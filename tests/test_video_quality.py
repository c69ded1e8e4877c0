"""Video: colours, measures, samples and baselines."""

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import skimage.metrics
from video_files import FILM, same_planes, smooth

from inrc.errors import SignalError
from inrc_modalities.video import Video, baselines, quality, sample
from inrc_modalities.video.clip import Colour
from inrc_modalities.video.pixels import rgb
from inrc_modalities.video.reading import load
from inrc_modalities.video.writing import save


def test_measures_are_those_of_other_software(tmp_path: Path) -> None:
    a = smooth("rgb", (3, 24, 40))
    rng = np.random.default_rng(0)
    shift = [rng.integers(-3, 4, plane.shape) for plane in a.planes]
    b = replace(
        a, planes=tuple((p + s).astype(np.uint8) for p, s in zip(a.planes, shift, strict=True))
    )
    save(a, tmp_path / "a.mkv")
    save(b, tmp_path / "b.mkv")
    measures = Video().measure(tmp_path / "a.mkv", tmp_path / "b.mkv")
    pairs = [(rgb(a, k), rgb(b, k)) for k in range(3)]
    psnr = [skimage.metrics.peak_signal_noise_ratio(x, y, data_range=255) for x, y in pairs]
    assert measures["psnr"] == pytest.approx(np.mean(psnr))
    similarity = [
        skimage.metrics.structural_similarity(
            x, y, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, win_size=11,
        )
        for x, y in pairs
    ]  # fmt: skip
    assert measures["ssim"] == pytest.approx(np.mean(similarity), abs=5e-3)  # edges differ
    assert measures["psnr_y"] > measures["psnr"]


def test_frames_without_error_do_not_make_a_clip_perfect(tmp_path: Path) -> None:
    a = smooth(shape=(4, 200, 170))
    luma = a.planes[0].copy()
    luma[2] += 1
    save(a, tmp_path / "a.mkv")
    save(replace(a, planes=(luma, *a.planes[1:])), tmp_path / "b.mkv")
    same = quality.measure(tmp_path / "a.mkv", tmp_path / "a.mkv")
    assert same["psnr"] == same["psnr_y"] == float("inf") and same["ms_ssim"] == 1.0
    measures = quality.measure(tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert measures["psnr_y"] == pytest.approx((3 * 100 + 10 * np.log10(255**2)) / 4)
    save(smooth(shape=(4, 200, 168)), tmp_path / "c.mkv")
    with pytest.raises(SignalError, match=r"168 pixels, but .*170"):
        quality.measure(tmp_path / "a.mkv", tmp_path / "c.mkv")
    pair = Video().picture(tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert all(each["image"].shape == (200, 170, 3) for each in pair)
    assert 0 < np.abs(pair[0]["image"] - pair[1]["image"]).max() < 0.02


def test_samples_move_and_a_larger_one_begins_with_a_smaller(tmp_path: Path) -> None:
    few = [load(p) for p in sample.write(tmp_path / "a", 3, 1)]
    many = [load(p) for p in sample.write(tmp_path / "b", 3, 2)]
    assert same_planes(few[0], many[0]) and not same_planes(many[0], many[1])
    assert few[0].shape == (16, 64, 64) and few[0].layout == "yuv420p"
    luma = many[0].planes[0].astype(float)
    moved = np.abs(luma[8] - luma[0]).mean()
    assert 1 < moved < luma.std() and np.abs(luma[1] - luma[0]).mean() < moved


@pytest.mark.parametrize("codec", baselines.CODECS, ids=lambda codec: codec.encoder)
@pytest.mark.parametrize("layout", ["yuv420p", "rgb", "gray"])
def test_baselines_give_back_the_clip(tmp_path: Path, codec: baselines.Codec, layout: str) -> None:
    original, decoded = tmp_path / "a.mkv", tmp_path / "b.mkv"
    save(smooth(layout, (4, 37, 51), colour=Colour(2)), original)
    data = codec.encode(original, codec.crfs[-4])
    codec.decode(data, original, decoded)
    measures = Video().measure(original, decoded)
    assert measures["psnr"] > 33 and load(decoded).rate == 25
    assert len(data) < len(codec.encode(original, codec.crfs[-1]))
    for letter in (b"x264", b"x265", b"Lavc"):
        assert letter not in data


def test_what_baselines_send_is_what_other_software_reads(tmp_path: Path) -> None:
    save(smooth(shape=(6, 32, 48), rate=FILM), tmp_path / "a.mkv")
    for baseline in Video().baselines():
        data = baseline.encode(tmp_path / "a.mkv", baseline.qualities[5])
        with av.open(io.BytesIO(data), "r") as container:
            frames = [frame.width for frame in container.decode(video=0)]
        assert len(frames) == 6
