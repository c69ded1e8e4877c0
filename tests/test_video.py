"""Video: files to signals and back, views, quality and baselines."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import skimage.metrics
import torch
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inrc.errors import SignalError
from inrc.signal import Signal, View
from inrc.testing import check_file, check_modality
from inrc_modalities.video import Video, baselines, clip, quality, sample, writing
from inrc_modalities.video.clip import LAYOUTS, Clip, Colour
from inrc_modalities.video.pixels import rgb
from inrc_modalities.video.reading import load
from inrc_modalities.video.writing import save

QUANTUM = 0.51 / 255
FILM = Fraction(24000, 1001)
VIEWED = View(scale=0.5)


def smooth(layout: str = "yuv420p", shape: tuple[int, int, int] = (5, 22, 36), **tags: Any) -> Clip:
    """Waves that move, another in every plane."""
    planes = []
    for number, size in enumerate(LAYOUTS[layout].sizes(*shape[1:])):
        t, y, x = np.mgrid[: shape[0], : size[0], : size[1]]
        wave = np.sin(x / 5 + t / 3 + number) * np.cos(y / 7 + number)
        planes.append((128 + 80 * wave).astype(np.uint8))
    made = Clip(tuple(planes), layout, Fraction(25), Fraction(1, 1000))
    return replace(made, **tags)


def noise(layout: str, shape: tuple[int, int, int], seed: int = 0) -> Clip:
    """Every level in every plane."""
    rng = np.random.default_rng(seed)
    sizes = LAYOUTS[layout].sizes(*shape[1:])
    planes = tuple(rng.integers(0, 256, (shape[0], *size), dtype=np.uint8) for size in sizes)
    return Clip(planes, layout, Fraction(25), Fraction(1, 1000))


def same_planes(a: Clip, b: Clip) -> bool:
    return len(a.planes) == len(b.planes) and all(map(np.array_equal, a.planes, b.planes))


def encoded(
    path: Path, frames: Iterator[VideoFrame], codec: str, rate: int = 25, **settings: Any
) -> Path:
    """A file that this project did not write."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=settings.get("options", {}))
        assert isinstance(stream, VideoStream)
        first = next(frames)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        if "rotation" in settings:
            stream.set_display_rotation(settings["rotation"])
        number = 0
        frame: VideoFrame | None = first
        while frame is not None:
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
            number += 1
            frame = next(frames, None)
        container.mux(stream.encode(None))
    return path


def plain(name: str, count: int = 4, height: int = 32, width: int = 48) -> Iterator[VideoFrame]:
    """Frames in any of FFmpeg's layouts."""
    for number in range(count):
        array = np.zeros((height, width, 3), np.uint8)
        array[: height // 2] = (200, 30 + 20 * number, 90)
        yield VideoFrame.from_ndarray(array, format="rgb24").reformat(format=name)


def decode(modality: Video, path: Path, view: View) -> Signal:
    """What a field makes of a view that answers with its place in the clip, in cells."""
    meta = modality.read(path).meta
    ask = modality.ask(meta, view)
    counts = [-(-n // p) for n, p in zip(modality.shape(meta), modality.patch, strict=True)]
    corners = torch.tensor(np.array(np.unravel_index(ask.parts, counts)).T)  # P 3
    patch = torch.tensor(modality.patch)
    assert (ask.queries.abs() <= 1).all()
    where = ((ask.queries.double() + 1) / 2 + corners[:, None]) * patch
    return modality.join(where.float(), meta, view)


# --- files ---------------------------------------------------------------------------------------


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
    path = tmp_path / f"a{Video().exact(suffix)}"
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
        found = load(path)
        assert found.shape == shape and found.rate == 25
        assert found.aspect == Fraction(4, 3)
        assert found.colour.range == 2
        if suffix == ".mp4":
            assert np.abs(rgb(found, 1).astype(int) - rgb(made, 1)).mean() < 1.5
        else:
            assert same_planes(found, made) and found.layout == layout
        if suffix == ".mkv":
            assert found.meta() == made.meta()


@pytest.mark.parametrize("rate", [FILM, Fraction(30000, 1001), Fraction(25, 2), Fraction(60)])
@pytest.mark.parametrize("suffix", writing.FORMATS)
def test_rates_come_back_exactly(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    save(smooth(shape=(40, 16, 16), rate=rate), tmp_path / f"a{suffix}")
    found = load(tmp_path / f"a{suffix}")
    assert (found.rate, found.ticks) == (rate, None)
    # and other software finds them, too
    with av.open(str(tmp_path / f"a{suffix}")) as container:
        assert container.streams.video[0].average_rate == rate
    other = tmp_path / f"b{suffix}"
    save(found, other)
    assert load(other).meta() == found.meta()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_uneven_times_are_kept(tmp_path: Path, suffix: str) -> None:
    made = smooth(ticks=[0, 30, 31, 500, 501], base=Fraction(1, 1000))
    save(made, tmp_path / f"a{suffix}")
    found = load(tmp_path / f"a{suffix}")
    assert found.ticks is not None
    times = [tick * found.base for tick in found.ticks]
    assert times == [Fraction(n, 1000) for n in (0, 30, 31, 500, 501)]
    with pytest.raises(SignalError, match="uneven times"):
        save(made, tmp_path / "a.y4m")


@pytest.mark.parametrize("codec", ["mpeg4", "libx264", "ffv1", "libx265"])
def test_files_of_other_software_are_read(tmp_path: Path, codec: str) -> None:
    options = {"x265-params": "pools=none:frame-threads=1"} if codec == "libx265" else {}
    path = tmp_path / ("a.mkv" if codec == "ffv1" else "a.mp4")
    encoded(path, plain("yuv420p", 4, 64, 96), codec, options=options)
    found = load(path)
    with av.open(str(path)) as container:
        wanted = [frame.to_ndarray() for frame in container.decode(video=0)]  # planes, stacked
    for number, frame in enumerate(wanted):
        planes = [plane[number].reshape(-1) for plane in found.planes]
        assert np.array_equal(np.concatenate(planes), frame.reshape(-1))


@pytest.mark.parametrize(("name", "layout"), [("yuvj420p", "yuv420p"), ("bgr24", "rgb")])
def test_old_and_reordered_layouts(tmp_path: Path, name: str, layout: str) -> None:
    codec = "mjpeg" if layout == "yuv420p" else "rawvideo"
    found = load(encoded(tmp_path / "a.avi", plain(name), codec))
    assert found.layout == layout
    if layout == "yuv420p":
        assert found.colour.range == 2
    red, green, blue = rgb(found, 2)[2, 4].astype(int)
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
    ask = modality.ask(signal.meta, View())
    parts = modality.split(signal).features
    modality.write(modality.join(parts[list(ask.parts)], signal.meta, View()), tmp_path / "b.mkv")
    assert same_planes(load(tmp_path / "b.mkv"), made)


# --- what is refused -----------------------------------------------------------------------------


def no_frames(folder: Path) -> Path:
    path = folder / "a.y4m"
    path.write_bytes(b"YUV4MPEG2 W16 H16 F25:1 Ip A1:1 C420mpeg2\n")
    return path


def sound_only(folder: Path) -> Path:
    path = folder / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        assert isinstance(stream, AudioStream)
        stream.layout = "mono"
        frame = AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def two_sizes(folder: Path) -> Path:
    path = folder / "a.mp4"
    pieces = []
    for side in (32, 48):
        bare = encoded(folder / f"{side}.h264", plain("yuv420p", 3, side, side), "libx264")
        pieces.append(bare.read_bytes())
    path.write_bytes(b"".join(pieces))
    return path


def two_videos(folder: Path) -> Path:
    path = folder / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=25) for _ in range(2)]
        for stream in streams:
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for stream in streams:
            for number, frame in enumerate(plain("yuv420p")):
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def deep(folder: Path) -> Path:
    return encoded(folder / "a.mkv", plain("yuv420p10le"), "ffv1")


def glass(folder: Path) -> Path:
    return encoded(folder / "a.mkv", plain("yuva420p"), "ffv1")


def combed(folder: Path) -> Path:
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    return encoded(folder / "a.mp4", plain("yuv420p"), "libx264", options=options)


def vast(folder: Path) -> Path:
    path = folder / "a.y4m"
    path.write_bytes(b"YUV4MPEG2 W60000 H20 F25:1 Ip A1:1 C420mpeg2\nFRAME\n" + bytes(1800000))
    return path


def flipped(folder: Path) -> Path:
    path = folder / "a.mkv"
    save(noise("yuv420p", (4, 32, 32)), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)
    return path


def cut(name: str, share: float) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        path = folder / name
        save(noise("yuv420p", (6, 32, 32)), path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        return path

    return made


def playlist(folder: Path) -> Path:
    secret = folder / "secret.mkv"
    save(smooth(), secret)
    path = folder / "a.mkv"
    path.write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    return path


BAD: Mapping[str, tuple[Callable[[Path], Path], str]] = {
    "no frames": (no_frames, "no frames"),
    "sound only": (sound_only, "no video.*audio"),
    "two sizes": (two_sizes, "frame 3 is 48 by 48.*the first 32 by 32"),
    "two videos": (two_videos, "2 videos"),
    "10 bits": (deep, "more than 8 bits"),
    "opacity": (glass, "opacity"),
    "interlaced": (combed, "interlaced"),
    "too wide": (vast, "60000.*16384|more than 16384"),
    "a flipped bit": (flipped, "damaged"),
    "cut Matroska": (cut("a.mkv", 0.9), "cut short"),
    "cut MP4": (cut("a.mp4", 0.9), "cut short"),
    "cut Y4M": (cut("a.y4m", 0.9), "cut short"),
    "a list of other files": (playlist, "not a video"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    make, message = BAD[case]
    path = make(tmp_path)
    with pytest.raises(SignalError, match=message) as refusal:
        Video().read(path)
    assert str(refusal.value).startswith(f"{path}: ") and "\n" not in str(refusal.value)


def test_long_clips_are_refused_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(smooth(shape=(9, 16, 16)), tmp_path / "a.mkv")
    monkeypatch.setattr(clip, "PIXELS", 5 * 256)
    with pytest.raises(SignalError, match=r"6 by 16 by 16 .*shorter clips"):
        load(tmp_path / "a.mkv")


GOOD = smooth().meta()


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": [5, 22]},
        {"shape": [5, 22, 0]},
        {"shape": [5, 22, True]},
        {"shape": [5, 22, 1 << 15]},
        {"shape": [1 << 20, 1 << 10, 1 << 10]},
        {"shape": None},
        {"layout": ["yuv420p"]},
        {"layout": "yuv410p"},
        {"rate": [0, 1]},
        {"rate": [25, 0]},
        {"rate": 25},
        {"base": [1, 1 << 40]},
        {"aspect": [-1, 1]},
        {"ticks": [0, 1, 2]},
        {"ticks": [0, 2, 1, 3, 4]},
        {"ticks": [1, 2, 3, 4, 5]},
        {"ticks": [0, 1, 2, 3, 4.5]},
        {"ticks": "01234"},
        {"colour": [0, 2, 2]},
        {"colour": [0, 2, 2, 256]},
    ],
)
def test_headers_that_lie_are_refused(wrong: Mapping[str, Any]) -> None:
    assert Video().shape(GOOD) == (5, 22, 36)
    with pytest.raises(SignalError):
        Video().shape({**GOOD, **wrong})
    for key in wrong:
        with pytest.raises(SignalError):
            Video().shape({name: value for name, value in GOOD.items() if name != key} | wrong)


@pytest.mark.parametrize("arguments", [{"patch": [8, 8]}, {"patch": [8, 0, 8]}, {"chroma": 0.0}])
def test_settings_that_make_no_sense(arguments: Mapping[str, Any]) -> None:
    with pytest.raises(SignalError):
        Video(**arguments)


# --- views ---------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(smooth(shape=(10, 22, 36)), tmp_path / "clip.mkv")
    return tmp_path / "clip.mkv"


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
        found = places.movedim(axis, 0).flatten(1, 2)[..., axis]
        assert np.abs(found.numpy() - line[:, None]).max() < 1e-4
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
    some = Video((4, 8, 8)).ask(Video().read(path).meta, view)
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
        Video().ask(meta, view)


# --- quality -------------------------------------------------------------------------------------


@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("limits", [1, 2])
def test_colours_are_those_of_other_software(matrix: int, limits: int) -> None:
    made = smooth("yuv444p", (1, 16, 24), colour=Colour(limits, matrix))
    frame = writing._frame(tuple(plane[0] for plane in made.planes), "yuv444p")
    wanted = frame.reformat(
        format="rgb24", src_colorspace=matrix, src_color_range=limits, dst_color_range=2
    ).to_ndarray()
    assert np.abs(rgb(made, 0).astype(int) - wanted).max() <= 3  # swscale rounds coarsely


def test_measures_are_those_of_other_software(tmp_path: Path) -> None:
    a = smooth("rgb", (3, 24, 40))
    rng = np.random.default_rng(0)
    shift = [rng.integers(-3, 4, plane.shape) for plane in a.planes]
    b = replace(
        a, planes=tuple((p + s).astype(np.uint8) for p, s in zip(a.planes, shift, strict=True))
    )
    save(a, tmp_path / "a.mkv")
    save(b, tmp_path / "b.mkv")
    found = Video().measure(tmp_path / "a.mkv", tmp_path / "b.mkv")
    pairs = [(rgb(a, k), rgb(b, k)) for k in range(3)]
    psnr = [skimage.metrics.peak_signal_noise_ratio(x, y, data_range=255) for x, y in pairs]
    assert found["psnr"] == pytest.approx(np.mean(psnr))
    similarity = [
        skimage.metrics.structural_similarity(
            x, y, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, win_size=11,
        )
        for x, y in pairs
    ]  # fmt: skip
    assert found["ssim"] == pytest.approx(np.mean(similarity), abs=5e-3)  # edges differ
    assert found["psnr_y"] > found["psnr"]


def test_frames_without_error_do_not_make_a_clip_perfect(tmp_path: Path) -> None:
    a = smooth(shape=(4, 200, 170))
    luma = a.planes[0].copy()
    luma[2] += 1
    save(a, tmp_path / "a.mkv")
    save(replace(a, planes=(luma, *a.planes[1:])), tmp_path / "b.mkv")
    same = quality.measure(tmp_path / "a.mkv", tmp_path / "a.mkv")
    assert same["psnr"] == same["psnr_y"] == float("inf") and same["ms_ssim"] == 1.0
    found = quality.measure(tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert found["psnr_y"] == pytest.approx((3 * 100 + 10 * np.log10(255**2)) / 4)
    save(smooth(shape=(4, 200, 168)), tmp_path / "c.mkv")
    with pytest.raises(SignalError, match=r"168 pixels, but .*170"):
        quality.measure(tmp_path / "a.mkv", tmp_path / "c.mkv")
    pair = Video().picture(tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert all(each["image"].shape == (200, 170, 3) for each in pair)
    assert 0 < np.abs(pair[0]["image"] - pair[1]["image"]).max() < 0.02


# --- sample and baselines ------------------------------------------------------------------------


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
    found = Video().measure(original, decoded)
    assert found["psnr"] > 33 and load(decoded).rate == 25
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
