"""Video: files, headers and settings that are refused."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from damage import check_refusals
from hypothesis import given, settings
from hypothesis import strategies as st
from video_files import encoded, noise, numbered, plain, smooth

from inrc.errors import SignalError
from inrc_modalities.video import Video, clip
from inrc_modalities.video.reading import load
from inrc_modalities.video.writing import save


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
    "no frames": (no_frames, "without frames"),
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
    monkeypatch.setattr(clip, "MAX_PIXELS", 5 * 256)
    with pytest.raises(SignalError, match=r"6 by 16 by 16 .*shorter clips"):
        load(tmp_path / "a.mkv")


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".y4m"])
def test_writing_fails_in_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "no folder" / f"a{suffix}"
    with pytest.raises(SignalError, match=r"cannot be written \(.+\)") as refusal:
        save(smooth(), path)
    assert str(refusal.value).startswith(f"{path}: ") and "\n" not in str(refusal.value)


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


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One file of every kind."""
    folder = tmp_path_factory.mktemp("whole")
    paths = [folder / f"a{suffix}" for suffix in (".mkv", ".mp4", ".y4m")]
    for path in paths:
        save(smooth(shape=(3, 16, 16)), path)
    numbered(folder / "edits.mp4", 4)
    codecs = {".mov": "libx264", ".avi": "mpeg4", ".webm": "libvpx", ".ts": "libx264"}
    others = [encoded(folder / f"b{end}", plain("yuv420p", 3), c) for end, c in codecs.items()]
    return [*paths, folder / "edits.mp4", *others]


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_damage_ends_in_one_line(whole: list[Path], data: st.DataObject) -> None:
    check_refusals(whole, (Video().read, Video().losses), data)
