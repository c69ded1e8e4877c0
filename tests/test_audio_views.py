"""Sound: parts, rates and regions."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from audio_files import QUICK, make, tone
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchmetrics.functional.audio import (
    scale_invariant_signal_distortion_ratio,
    signal_noise_ratio,
)

from inrc.errors import SignalError
from inrc.signal import Signal, View
from inrc_modalities.audio import Audio
from inrc_modalities.audio.reading import load


def decode(modality: Audio, path: Path, view: View, field: Callable[..., NDArray]) -> Signal:
    """What a codec would make of a view if its field were this function of seconds."""
    meta = modality.read(path).meta
    plan = modality.plan_queries(meta, view)
    many = -(-meta["frames"] // modality.patch)
    part = torch.tensor(plan.parts, dtype=torch.float64)[:, None, None]
    local = (plan.queries.double() + 5.0) / 10.0
    assert (local > 0).all() and (local < 1).all()
    seconds = (part % many + local) * modality.patch / meta["rate"]
    channel = torch.div(part, many, rounding_mode="floor").expand_as(seconds)
    return modality.join(
        torch.from_numpy(field(seconds.numpy(), channel.numpy())).float(), meta, view
    )


@QUICK
@given(
    st.integers(30, 3000), st.integers(1, 3), st.integers(1, 300),
    st.sampled_from([(8000, 16000), (8000, 8000), (8000, 11025), (8000, 4000), (8000, 24000)]),
    st.floats(0.0, 0.3), st.floats(0.01, 0.4),
)  # fmt: skip
def test_views_answer_what_lies_there(
    tmp_path: Path, frames: int, channels: int, patch: int, rates: tuple[int, int],
    low: float, length: float,
) -> None:  # fmt: skip
    rate, target = rates
    path = make(tmp_path / "a.wav", tone(frames, channels), rate)
    at = make(tmp_path / "b.wav", tone(5), target)

    def field(seconds: NDArray[np.float64], channel: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.5 + 0.2 * np.sin(2 * np.pi * 150 * (channel + 1) * seconds + 1.0)

    view = View(region=(("t", low, low + length),), at=at)
    size = max(1, round(frames * target / rate))
    seconds = (np.arange(size) + 0.5) / target
    inside = (seconds >= low) & (seconds < low + length)
    if not inside.any():
        with pytest.raises(SignalError, match="region"):
            decode(Audio(patch), path, view, field)
        return
    decoded = decode(Audio(patch), path, view, field)
    assert decoded.shape == (channels, inside.sum()) and decoded.meta["rate"] == target
    assert decoded.meta["frames"] == inside.sum()
    wanted = field(seconds[None], np.arange(channels)[:, None])[:, inside]
    error = np.abs(decoded.features[..., 0].numpy() - wanted)
    if target != rate:  # near the ends nothing is known of what goes on
        error = error[:, ((seconds > 0.01) & (seconds < frames / rate - 0.01))[inside]]
    assert error.max(initial=0.0) < 1e-4


def test_a_lower_rate_does_not_fold_high_tones_back(tmp_path: Path) -> None:
    path = make(tmp_path / "a.wav", tone(16000))
    low, high = (
        decode(
            Audio(), path, View(scale=0.5), lambda t, c, f=f: 0.5 + 0.4 * np.sin(2 * np.pi * f * t)
        )
        for f in (3000, 5000)
    )
    middle = slice(200, -200)
    assert (low.features[0, middle] - 0.5).std() > 0.28
    assert (high.features[0, middle] - 0.5).abs().max() < 1e-3


def test_a_region_asks_only_the_patches_that_it_touches(tmp_path: Path) -> None:
    modality, path = Audio(100), make(tmp_path / "a.wav", tone(1600, 2))
    meta = modality.read(path).meta
    plan = modality.plan_queries(meta, View(region=(("t", 0.0125, 0.03),)))  # samples 200 to 480
    assert plan.parts == (2, 3, 4, 18, 19, 20) and plan.queries.shape == (1, 100, 1)
    pieces = modality.split(modality.read(path)).features[list(plan.parts)]
    cut = modality.join(pieces, meta, View(region=(("t", 0.0125, 0.03),)))
    modality.write(cut, tmp_path / "cut.wav")
    assert np.array_equal(load(tmp_path / "cut.wav")[1], load(path)[1][:, 200:480])


@pytest.mark.parametrize(
    "view",
    [View(scale=0.0), View(scale=-1.0), View(scale=math.nan), View(scale=math.inf),
     View(scale=1e-9), View(scale=1e9), View(region=(("x", 0.0, 1.0),)),
     View(region=(("t", 0.0, 1.0), ("t", 0.0, 1.0))), View(region=(("t", 0.02, 0.01),)),
     View(region=(("t", 5.0, 6.0),)), View(region=(("t", math.nan, 1.0),)),
     View(region=(("t", 0.0, math.inf),)), View(at=Path("nowhere.wav"))],
)  # fmt: skip
def test_views_without_sense_are_refused(tmp_path: Path, view: View) -> None:
    path = make(tmp_path / "a.wav")
    meta = Audio().read(path).meta
    with pytest.raises(SignalError):
        Audio().plan_queries(meta, view)
    with pytest.raises(SignalError, match="both"):
        Audio().plan_queries(meta, View(scale=2.0, at=path))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("level", [1e-4, 0.05, 0.5])
def test_measures_agree_with_torchmetrics(tmp_path: Path, channels: int, level: float) -> None:
    sound = tone(70_000, channels, 0.3)  # more than one block
    noise = np.random.default_rng(0).normal(0, level, sound.shape)
    a = make(tmp_path / "a.wav", sound, subtype="FLOAT")
    b = make(tmp_path / "b.wav", 0.9 * sound + noise, subtype="FLOAT")
    measures = Audio().measure(a, b)
    one, two = (torch.from_numpy(load(p)[1]).double() for p in (a, b))
    si_sdr = scale_invariant_signal_distortion_ratio(two, one).mean()
    assert measures["si_sdr"] == pytest.approx(float(si_sdr), abs=1e-6)
    snr = signal_noise_ratio(two.flatten(), one.flatten())
    assert measures["snr"] == pytest.approx(float(snr), abs=1e-6)
    error = (((one + 1) / 2 - (two + 1) / 2) ** 2).mean()
    assert measures["psnr"] == pytest.approx(float(-10 * torch.log10(error)), abs=1e-9)
