"""Scenes: measures, held-out views and baselines."""

import math
from pathlib import Path

import numpy as np
import pytest
import skimage.metrics
import torch
from nerf_files import glass, shown

from inrc.errors import SignalError
from inrc_modalities.nerf import NeRF, files
from inrc_modalities.nerf.cameras import Cameras


def test_psnr_and_ssim_are_those_of_scikit_image(tmp_path: Path) -> None:
    cameras = shown((24, 30), 3)
    levels = glass(cameras)
    noisy = np.clip(levels + np.random.default_rng(0).normal(0, 12, levels.shape), 0, 255)
    files.save(cameras, levels, tmp_path / "a.json")
    order = [2, 0]
    some = Cameras(cameras.poses[order], cameras.size, cameras.focal)
    files.save(some, noisy.astype(np.uint8)[order], tmp_path / "b.npz")
    measures = NeRF().measure(tmp_path / "a.json", tmp_path / "b.npz")
    ratios, likeness = [], []
    for i in order:
        one, two = (each[i].astype(np.uint8) / 255.0 for each in (levels, noisy))
        ratios.append(skimage.metrics.peak_signal_noise_ratio(one, two, data_range=1.0))
        likeness.append(
            skimage.metrics.structural_similarity(
                one, two, data_range=1.0, channel_axis=-1, gaussian_weights=True, sigma=1.5,
                use_sample_covariance=False,
            )
        )  # fmt: skip
    assert measures["psnr"] == pytest.approx(np.mean(ratios), abs=1e-3)
    assert measures["ssim"] == pytest.approx(np.mean(likeness), abs=1e-3)
    pair = NeRF().picture(tmp_path / "a.json", tmp_path / "b.npz")
    assert pair is not None and pair[0]["image"].shape == (24, 30, 3)
    assert np.array_equal((pair[0]["image"] * 255).round(), levels[2])
    four = shown((4, 6), 5)
    files.save(four, glass(four), tmp_path / "c.json")
    pair = NeRF().picture(tmp_path / "c.json", tmp_path / "c.json")
    assert pair is not None and pair[1]["image"].shape == (8, 12, 3)
    assert np.array_equal((pair[1]["image"][4:, 6:] * 255).round(), glass(four)[3])
    assert NeRF().measure(tmp_path / "a.json", tmp_path / "a.json") == {"psnr": math.inf, "ssim": 1}


def test_held_out_views_are_preferred_and_others_refused(tmp_path: Path) -> None:
    train, held, strange = (
        shown((12, 12), 3),
        shown((12, 12), 4, [13, 1, 0, 0, 0, 0]),
        shown((12, 12), 5),
    )
    strange = Cameras(strange.poses[1:3], strange.size, strange.focal)
    files.save(train, glass(train), tmp_path / "a_train.npz")
    files.save(held, glass(held), tmp_path / "a_test.npz")
    assert NeRF().evaluation_view(tmp_path / "a_train.npz").at == tmp_path / "a_test.npz"
    both = Cameras(torch.cat([train.poses, held.poses]), train.size, train.focal)
    levels = glass(both)
    levels[:3] = 0  # the training views are not looked at if there are held-out ones
    files.save(both, levels, tmp_path / "both.json")
    assert NeRF().measure(tmp_path / "a_train.npz", tmp_path / "both.json")["psnr"] == math.inf
    files.save(strange, glass(strange), tmp_path / "other.npz")
    with pytest.raises(SignalError, match=r"decode it with --at .*a_test\.npz"):
        NeRF().measure(tmp_path / "a_train.npz", tmp_path / "other.npz")
    assert NeRF().picture(tmp_path / "a_train.npz", tmp_path / "other.npz") is None
    assert [files.is_scene(Path(n)) for n in ("a_train.npz", "a_test.npz", "x/transforms_val.json",
            "latest.npz", "a.png")] == [True, False, False, True, False]  # fmt: skip


@pytest.mark.parametrize("size", [(9, 14), (40, 33)])
def test_hevc_stores_the_views(tmp_path: Path, size: tuple[int, int]) -> None:
    cameras = shown(size, 4)
    files.save(cameras, glass(cameras), tmp_path / "a.json")
    modality = NeRF()
    (baseline,) = modality.baselines()
    sizes, quality = [], []
    for setting in (baseline.qualities[0], baseline.qualities[-1]):
        data = baseline.encode(tmp_path / "a.json", setting)
        baseline.decode(data, tmp_path / "a.json", tmp_path / f"{setting}.json")
        sizes.append(len(data))
        measures = modality.measure(tmp_path / "a.json", tmp_path / f"{setting}.json")
        quality.append(measures["psnr"])
    assert sizes[0] < sizes[1] and quality[0] < 30 < quality[1]
