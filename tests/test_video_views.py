"""Video: other rates, sizes and regions."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from video_files import FILM, smooth

from inrc.errors import SignalError
from inrc.signal import Signal, View
from inrc_modalities.video import Video, writing
from inrc_modalities.video.clip import Colour
from inrc_modalities.video.pixels import rgb
from inrc_modalities.video.reading import load
from inrc_modalities.video.writing import save

VIEWED = View(scale=0.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(smooth(shape=(10, 22, 36)), tmp_path / "clip.mkv")
    return tmp_path / "clip.mkv"


def decode(modality: Video, path: Path, view: View) -> Signal:
    """What a field makes of a view that answers with its place in the clip, in cells."""
    meta = modality.read(path).meta
    plan = modality.plan_queries(meta, view)
    counts = [-(-n // p) for n, p in zip(modality.shape(meta), modality.patch, strict=True)]
    corners = torch.tensor(np.array(np.unravel_index(plan.parts, counts)).T)  # P 3
    patch = torch.tensor(modality.patch)
    assert (plan.queries.abs() <= 1).all()
    where = ((plan.queries.double() + 1) / 2 + corners[:, None]) * patch
    return modality.join(where.float(), meta, view)


@pytest.mark.parametrize("scale", [1.0, 2.0, 0.5, 1.5, 0.3, 3.0, 0.01])
def test_a_scale_asks_at_the_centres_of_new_cells(path: Path, scale: float) -> None:
    signal = decode(Video((4, 8, 8)), path, View(scale=scale))
    t, h, w = signal.shape
    assert h == max(1, round(22 * scale)) and w == max(1, round(36 * scale))
    assert abs(t - 10 * scale) <= 0.5 or t == 1
    places = signal.features.reshape(t, h, w, 3)
    exact = Fraction(scale).limit_denominator(1000)
    faster = max(exact, Fraction(1, 10))  # one frame is left, in the middle
    wanted = [(np.arange(n) + 0.5) * s for n, s in ((t, 1 / faster), (h, 22 / h), (w, 36 / w))]
    for axis, line in enumerate(wanted):
        centres = places.movedim(axis, 0).flatten(1, 2)[..., axis]
        assert np.abs(centres.numpy() - line[:, None]).max() < 1e-4
    assert Fraction(*signal.meta["rate"]) == 25 * faster
    # as long as before, to half a frame
    assert abs(t / (25 * faster) - Fraction(10, 25)) <= Fraction(1, 2) / (25 * faster)


def test_a_region_is_in_seconds_and_pixels(path: Path) -> None:
    view = View(region=(("t", 0.16, 0.28), ("y", 3, 9), ("x", 15.6, 100)))
    signal = decode(Video((4, 8, 8)), path, view)
    assert signal.shape == (3, 6, 20)
    places = signal.features.reshape(3, 6, 20, 3)
    assert places[0, 0, 0].tolist() == pytest.approx([4.5, 3.5, 16.5])
    assert places[-1, -1, -1].tolist() == pytest.approx([6.5, 8.5, 35.5])
    assert signal.meta["rate"] == [25, 1]
    some = Video((4, 8, 8)).plan_queries(Video().read(path).meta, view)
    assert len(some.parts) == 1 * 2 * 3  # of 45: only what is touched


def test_the_rate_and_size_of_another_clip_are_asked(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.y4m"
    save(smooth(shape=(3, 30, 20), rate=FILM), other)
    signal = decode(Video((4, 8, 8)), path, View(at=other))
    # 0.4 s at 23.976 Hz: the tenth frame would be centred at 0.396 s
    assert signal.shape == (10, 30, 20) and Fraction(*signal.meta["rate"]) == FILM
    times = signal.features.reshape(10, -1, 3)[:, 0, 0] / 25
    assert torch.allclose(times, (torch.arange(10) + 0.5) * 1001 / 24000, atol=1e-5)
    Video().write(signal.answer(signal.features / 40), tmp_path / "a.mp4")
    assert load(tmp_path / "a.mp4").rate == FILM


def test_uneven_times_can_be_cut_but_not_made_faster(tmp_path: Path) -> None:
    save(smooth(ticks=[0, 30, 31, 500, 501]), tmp_path / "a.mkv")
    signal = decode(Video(), tmp_path / "a.mkv", View(region=(("t", 0.031, 0.501),)))
    assert signal.shape[0] == 2 and signal.meta["ticks"] == [0, 469]
    with pytest.raises(SignalError, match="uneven"):
        decode(Video(), tmp_path / "a.mkv", VIEWED)


@pytest.mark.parametrize(
    "view",
    [
        View(scale=-1.0),
        View(scale=1e9),
        View(region=(("t", 3.0, 4.0),)),
        View(region=(("x", 5.0, 5.0),)),
        View(region=(("x", 0.0, 5.0), ("x", 0.0, 5.0))),
        View(region=(("y", float("nan"), 5.0),)),
        View(scale=2.0, at=Path("a.mkv")),
        View(at=Path("missing.mkv")),
    ],
)
def test_views_that_make_no_sense(path: Path, view: View) -> None:
    meta = Video().read(path).meta
    with pytest.raises(SignalError):
        Video().plan_queries(meta, view)


@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("limits", [1, 2])
def test_colours_are_those_of_other_software(matrix: int, limits: int) -> None:
    made = smooth("yuv444p", (1, 16, 24), colour=Colour(limits, matrix))
    frame = writing._frame(tuple(plane[0] for plane in made.planes), "yuv444p")
    wanted = frame.reformat(
        format="rgb24", src_colorspace=matrix, src_color_range=limits, dst_color_range=2
    ).to_ndarray()
    assert np.abs(rgb(made, 0).astype(int) - wanted).max() <= 3  # swscale rounds coarsely
