"""Video: files to signals and back."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from video_files import FILM, encoded, noise, plain, same_planes, smooth

from inrc.errors import SignalError
from inrc.signal import View
from inrc.testing import check_file, check_modality
from inrc_modalities.video import Video, writing
from inrc_modalities.video.clip import LAYOUTS, Colour
from inrc_modalities.video.pixels import rgb
from inrc_modalities.video.reading import load
from inrc_modalities.video.writing import save

QUANTUM = 0.51 / 255


def test_the_law(tmp_path: Path) -> None:
    clips = {
        "odd.mkv": noise("yuv420p", (5, 13, 21)),
        "rgb.mkv": noise("rgb", (3, 9, 8)),
        "grey.mkv": noise("gray", (1, 11, 12)),
        "fine.y4m": replace(noise("yuv422p", (2, 17, 15)), rate=FILM),
        "uneven.mkv": replace(noise("yuv440p", (4, 8, 9)), ticks=[0, 40, 45, 200]),
    }
    for name, made in clips.items():
        save(made, tmp_path / name)
    modality = Video((4, 8, 8), chroma=0.5)
    check_modality(modality, [tmp_path / name for name in clips], tmp_path / "law", QUANTUM)


def test_the_law_but_for_the_loss_of_mp4(tmp_path: Path) -> None:
    save(smooth(base=Fraction(1, 12800), aspect=Fraction(4, 3)), tmp_path / "a.mp4")
    check_file(Video(), tmp_path / "a.mp4", tmp_path / "law", tolerance=10 / 255)


@pytest.mark.parametrize("suffix", writing.FORMATS)
def test_what_is_judged_is_written_without_loss(tmp_path: Path, suffix: str) -> None:
    made = noise("yuv420p", (3, 8, 16))
    path = tmp_path / f"a{Video().lossless_suffix(suffix)}"
    save(made, path)
    assert same_planes(load(path), made)


@pytest.mark.parametrize("suffix", writing.FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_write_then_read(tmp_path: Path, layout: str, suffix: str) -> None:
    colour = Colour(2, 2 if layout == "rgb" else 7, 1, 13)
    path = tmp_path / f"a{suffix}"
    for shape in ((3, 22, 36), (2, 21, 35)):
        made = smooth(layout, shape, colour=colour, aspect=Fraction(4, 3))
        try:
            save(made, path)
        except SignalError as refusal:
            assert str(path) in str(refusal) and "write .mkv" in str(refusal)
            assert not path.exists()
            continue
        loaded = load(path)
        assert loaded.shape == shape and loaded.rate == 25
        assert loaded.aspect == Fraction(4, 3)
        assert loaded.colour.range == 2
        if suffix == ".mp4":
            assert np.abs(rgb(loaded, 1).astype(int) - rgb(made, 1)).mean() < 1.5
        else:
            assert same_planes(loaded, made) and loaded.layout == layout
        if suffix == ".mkv":
            assert loaded.meta() == made.meta()


@pytest.mark.parametrize("rate", [FILM, Fraction(30000, 1001), Fraction(25, 2), Fraction(60)])
@pytest.mark.parametrize("suffix", writing.FORMATS)
def test_rates_come_back_exactly(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    save(smooth(shape=(40, 16, 16), rate=rate), tmp_path / f"a{suffix}")
    loaded = load(tmp_path / f"a{suffix}")
    assert (loaded.rate, loaded.ticks) == (rate, None)
    # and other software finds them, too
    with av.open(str(tmp_path / f"a{suffix}")) as container:
        assert container.streams.video[0].average_rate == rate
    other = tmp_path / f"b{suffix}"
    save(loaded, other)
    assert load(other).meta() == loaded.meta()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_uneven_times_are_kept(tmp_path: Path, suffix: str) -> None:
    made = smooth(ticks=[0, 30, 31, 500, 501], base=Fraction(1, 1000))
    save(made, tmp_path / f"a{suffix}")
    loaded = load(tmp_path / f"a{suffix}")
    assert loaded.ticks is not None
    times = [tick * loaded.base for tick in loaded.ticks]
    assert times == [Fraction(n, 1000) for n in (0, 30, 31, 500, 501)]
    with pytest.raises(SignalError, match="uneven times"):
        save(made, tmp_path / "a.y4m")


@pytest.mark.parametrize("codec", ["mpeg4", "libx264", "ffv1", "libx265"])
def test_files_of_other_software_are_read(tmp_path: Path, codec: str) -> None:
    options = {"x265-params": "pools=none:frame-threads=1"} if codec == "libx265" else {}
    path = tmp_path / ("a.mkv" if codec == "ffv1" else "a.mp4")
    encoded(path, plain("yuv420p", 4, 64, 96), codec, options=options)
    loaded = load(path)
    with av.open(str(path)) as container:
        wanted = [frame.to_ndarray() for frame in container.decode(video=0)]  # planes, stacked
    for number, frame in enumerate(wanted):
        planes = [plane[number].reshape(-1) for plane in loaded.planes]
        assert np.array_equal(np.concatenate(planes), frame.reshape(-1))


@pytest.mark.parametrize(("name", "layout"), [("yuvj420p", "yuv420p"), ("bgr24", "rgb")])
def test_old_and_reordered_layouts(tmp_path: Path, name: str, layout: str) -> None:
    codec = "mjpeg" if layout == "yuv420p" else "rawvideo"
    loaded = load(encoded(tmp_path / "a.avi", plain(name), codec))
    assert loaded.layout == layout
    if layout == "yuv420p":
        assert loaded.colour.range == 2
    red, green, blue = rgb(loaded, 2)[2, 4].astype(int)
    assert abs(red - 200) < 9 and abs(green - 70) < 9 and abs(blue - 90) < 9


@pytest.mark.parametrize("size", [(7, 4), (19, 5), (3, 16), (4, 7), (17, 16)])
def test_slices_of_a_lossless_file_fit_small_and_odd_clips(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    made = smooth("yuv420p", (1, *size))
    writing.save(made, tmp_path / "a.mkv")
    for one, other in zip(made.planes, load(tmp_path / "a.mkv").planes, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_phones_that_were_turned(tmp_path: Path, turn: int) -> None:
    # one thread: on a busy machine two runs of an encoder with several may differ in a bit
    one = {"threads": "1"}
    upright = load(encoded(tmp_path / "a.mp4", plain("yuv420p"), "mpeg4", options=one))
    path = encoded(tmp_path / "b.mp4", plain("yuv420p"), "mpeg4", options=one, rotation=turn)
    turned = load(path)
    assert turned.shape == ((4, 32, 48) if turn == 180 else (4, 48, 32))
    # the display matrix turns to the left, as FFmpeg counts
    assert np.array_equal(rgb(turned, 1), np.rot90(rgb(upright, 1), turn // 90))


QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUICK
@given(
    layout=st.sampled_from(list(LAYOUTS)),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 19), st.integers(1, 19)),
    patch=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    chroma=st.sampled_from([1.0, 0.5, 0.3]),
    suffix=st.sampled_from([".mkv", ".y4m"]),
)
def test_nothing_is_lost_on_the_way(
    tmp_path: Path,
    layout: str,
    shape: tuple[int, int, int],
    patch: tuple[int, int, int],
    chroma: float,
    suffix: str,
) -> None:
    made = noise(layout, shape)
    path = tmp_path / (f"a{suffix}" if layout not in ("rgb", "yuv440p") else "a.mkv")
    save(made, path)
    modality = Video(patch, chroma)
    signal = modality.read(path)
    assert 0 <= signal.features.min() and signal.features.max() <= 1.01
    plan = modality.plan_queries(signal.meta, View())
    parts = modality.split(signal).features
    modality.write(modality.join(parts[list(plan.parts)], signal.meta, View()), tmp_path / "b.mkv")
    assert same_planes(load(tmp_path / "b.mkv"), made)
