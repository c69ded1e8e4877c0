"""Video: pictures are read as a file says that they are shown."""

import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from video_files import box, edited, encoded, numbered, plain, smooth, with_box

from inrc.errors import SignalError
from inrc_modalities.video import Video
from inrc_modalities.video.clip import Colour
from inrc_modalities.video.reading import load
from inrc_modalities.video.writing import save

ONE = 1 << 16
Picture = NDArray[np.uint8]

# a pixel at (x, y) is shown at (a x + c y, b x + d y)
SHOWN: dict[tuple[int, int, int, int], Callable[[Picture], Picture]] = {
    (1, 0, 0, 1): lambda p: p,
    (-1, 0, 0, 1): lambda p: p[:, ::-1],
    (1, 0, 0, -1): lambda p: p[::-1],
    (-1, 0, 0, -1): lambda p: p[::-1, ::-1],
    (0, 1, 1, 0): lambda p: p.T,
    (0, 1, -1, 0): lambda p: np.rot90(p, -1),  # to the right, as most phones write it
    (0, -1, 1, 0): lambda p: np.rot90(p),
    (0, -1, -1, 0): lambda p: p[::-1, ::-1].T,
}


def mirrored(data: bytes, matrix: tuple[int, ...]) -> bytes:
    """An MP4 with another matrix in the header of its track: a b u, c d v, x y w."""
    at = data.index(b"tkhd") + 4 + 40
    return data[:at] + struct.pack(">9i", *matrix) + data[at + 36 :]


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("turn", SHOWN)
def test_right_angles_and_mirrors(
    tmp_path: Path, turn: tuple[int, int, int, int], name: str
) -> None:
    upright = encoded(tmp_path / "a.mp4", plain(name), "libx264", options={"qp": "0"})
    a, b, c, d = (ONE * n for n in turn)
    path = tmp_path / "b.mp4"
    path.write_bytes(mirrored(upright.read_bytes(), (a, b, 0, c, d, 0, 48 * ONE, 0, 1 << 30)))
    wanted, clip = load(upright), load(path)
    columns = a == 0 and name == "yuv422p"
    assert clip.layout == ("yuv440p" if columns else name)
    for one, other in zip(wanted.planes, clip.planes, strict=True):
        assert np.array_equal(other, np.stack([SHOWN[turn](picture) for picture in one]))


def test_the_aspect_of_a_turned_pixel_is_turned(tmp_path: Path) -> None:
    save(smooth(shape=(2, 32, 48), aspect=Fraction(4, 3)), tmp_path / "a.mp4")
    data = (tmp_path / "a.mp4").read_bytes()
    for turn, aspect in (((0, 1, 1, 0), Fraction(3, 4)), ((-1, 0, 0, 1), Fraction(4, 3))):
        a, b, c, d = (ONE * n for n in turn)
        (tmp_path / "b.mp4").write_bytes(mirrored(data, (a, b, 0, c, d, 0, 0, 0, 1 << 30)))
        assert load(tmp_path / "b.mp4").aspect == aspect


@pytest.mark.parametrize(
    "matrix",
    [
        (46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30),  # 45 degrees
        (2 * ONE, 0, 0, 0, 2 * ONE, 0, 0, 0, 1 << 30),
        (ONE, 0, 0, 0, 2 * ONE, 0, 0, 0, 1 << 30),
        (ONE, 9000, 0, 0, ONE, 0, 0, 0, 1 << 30),
        (ONE, 0, 5, 0, ONE, 0, 0, 0, 1 << 30),
        (0, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
    ],
)
def test_other_matrices_are_refused(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    upright = encoded(tmp_path / "a.mp4", plain("yuv420p"), "libx264")
    (tmp_path / "b.mp4").write_bytes(mirrored(upright.read_bytes(), matrix))
    with pytest.raises(SignalError, match=r"b\.mp4: its display matrix is not a rotation"):
        load(tmp_path / "b.mp4")


def test_odd_sides_with_coarse_chroma_are_not_mirrored(tmp_path: Path) -> None:
    def frames() -> list[VideoFrame]:
        return list(plain("yuv420p", 2, 65, 67))

    for name, degrees, refused in (("a", 0, False), ("b", 180, True)):
        path = tmp_path / f"{name}.mkv"
        encoded(path, iter(frames()), "ffv1", rotation=degrees)
        if refused:
            with pytest.raises(SignalError, match=r"67 by 65 .* turned or mirrored .*yuv444p"):
                load(path)
        else:
            assert load(path).shape == (2, 65, 67)


def levels(path: Path) -> list[int]:
    """Numbers of the frames that are shown."""
    return [round((float(p.mean()) - 16) / 9) for p in load(path).planes[0]]


EDITS: dict[str, tuple[list[tuple[int, int, float]], list[int]]] = {
    "skip": ([(1750, 3, 1)], list(range(3, 24))),
    "cut": ([(500, 0, 1)], list(range(6))),
    "skip and cut": ([(500, 3, 1)], list(range(3, 9))),
    "delay": ([(500, -1, 1), (2000, 0, 1)], list(range(24))),
    "two parts": ([(500, 0, 1), (500, 12, 1)], [*range(6), *range(12, 18)]),
    "swapped": ([(500, 12, 1), (500, 0, 1)], [*range(12, 18), *range(6)]),
    "twice": ([(500, 0, 1), (500, 0, 1)], [*range(6), *range(6)]),
}


@pytest.mark.parametrize("between", [0, 2])
@pytest.mark.parametrize("case", EDITS)
def test_edit_lists_are_carried_out(tmp_path: Path, case: str, between: int) -> None:
    data, tick, first = numbered(tmp_path / "a.mp4", between=between)
    edits, shown = EDITS[case]
    ticks = [(ms, first + tick * k if k >= 0 else -1, speed) for ms, k, speed in edits]
    (tmp_path / "b.mp4").write_bytes(edited(data, ticks))
    assert levels(tmp_path / "b.mp4") == shown
    clip = load(tmp_path / "b.mp4")
    assert clip.rate == 12 and clip.ticks is None
    delay = ["0.5 s of delay at the start"] if case == "delay" else []
    assert Video().losses(tmp_path / "b.mp4") == delay


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        ([(500, 0, 1), (500, -1, 1), (500, 6144, 1)], "gap between pictures"),
        ([(4000, 0, 0.5)], "changes the speed"),
        ([(4000, 0, 0)], "changes the speed"),
    ],
)
def test_edit_lists_that_cannot_be_carried_out(
    tmp_path: Path, edits: list[tuple[int, int, float]], reason: str
) -> None:
    data, _, _ = numbered(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(edited(data, edits))
    with pytest.raises(SignalError, match=rf"b\.mp4: its edit list .*{reason}"):
        load(tmp_path / "b.mp4")


def test_a_lost_frame_is_damage_even_beside_an_edit_list(tmp_path: Path) -> None:
    data, tick, first = numbered(tmp_path / "a.mp4")
    cut = bytearray(edited(data, [(1750, first + 3 * tick, 1)]))
    at = cut.index(b"mdat") + 4
    cut[at + len(cut) // 3 : at + len(cut) // 3 + 60] = bytes(60)
    (tmp_path / "b.mp4").write_bytes(cut)
    with pytest.raises(SignalError, match=r"b\.mp4: .*(decoded|damaged)"):
        load(tmp_path / "b.mp4")


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg", "rawvideo"])
def test_pauses_of_avi_are_times(tmp_path: Path, codec: str) -> None:
    path, name = tmp_path / "a.avi", "yuvj420p" if codec == "mjpeg" else "yuv420p"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 48, 32, name
        for frame, time in zip(plain(name, 4), (0, 1, 5, 6), strict=True):
            frame.pts, frame.time_base = time, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    clip = load(path)
    assert clip.ticks == [0, 1, 5, 6] and clip.base == Fraction(1, 25)
    save(clip, tmp_path / "b.mkv")
    assert load(tmp_path / "b.mkv").ticks == [0, 40, 200, 240]


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_opacity_of_webm_is_refused(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "a.webm"
    encoded(path, plain("yuva420p"), codec, options={"auto-alt-ref": "0"})
    with pytest.raises(SignalError, match=r"a\.webm: a video with opacity"):
        load(path)


def test_cropped_pictures_are_refused(tmp_path: Path) -> None:
    data, _, _ = numbered(tmp_path / "a.mp4")
    path = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")
    for width, height in ((48, 32), (40, 32), (48, 31)):
        clap = box(b"clap", struct.pack(">8i", width, 1, height, 1, 0, 1, 0, 1))
        (tmp_path / "b.mp4").write_bytes(with_box(data, path, clap, skip=78))
        if (width, height) == (48, 32):
            assert load(tmp_path / "b.mp4").shape == (24, 32, 48)
            continue
        with pytest.raises(SignalError, match="only a part"):
            load(tmp_path / "b.mp4")
    save(smooth(colour=Colour(1, 1, 1, 1)), tmp_path / "c.mkv")
    made = (tmp_path / "c.mkv").read_bytes()
    at = made.index(b"\x55\xb0")  # Colour: PixelCropTop and a Void take its place
    size = 3 + made[at + 2] - 0x80
    for top in (0, 4):
        crop = b"\x54\xbb\x81" + bytes([top, 0xEC, 0x80 + size - 6]) + bytes(size - 6)
        (tmp_path / "d.mkv").write_bytes(made[:at] + crop + made[at + size :])
        if top:
            with pytest.raises(SignalError, match="only a part"):
                load(tmp_path / "d.mkv")
        else:
            assert load(tmp_path / "d.mkv").shape == (5, 22, 36)


@pytest.mark.parametrize(("number", "name"), [(1, "left"), (2, "center"), (3, "topleft")])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".y4m"])
def test_chroma_siting_comes_back(tmp_path: Path, suffix: str, number: int, name: str) -> None:
    other = tmp_path / "a.mp4"
    encoded(other, plain("yuv420p"), "libx264", options={"chroma_sample_location": name})
    clip = load(other)
    assert clip.colour.siting == number
    save(clip, tmp_path / f"b{suffix}")
    assert load(tmp_path / f"b{suffix}").colour.siting == number


def test_the_siting_of_turned_chroma_is_listed_as_lost(tmp_path: Path) -> None:
    for name, lost in (("center", []), ("left", ["chroma siting"])):
        options = {"chroma_sample_location": name}
        path = tmp_path / f"{name}.mp4"
        encoded(path, plain("yuv420p"), "libx264", options=options, rotation=90)
        assert load(path).colour.siting == (2 if not lost else 0)
        assert Video().losses(path) == lost


@pytest.mark.parametrize("mark", ["It", "Ib", "Ip", "I?"])
def test_fields_of_y4m_are_refused(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "a.y4m"
    path.write_bytes(f"YUV4MPEG2 W4 H4 F25:1 {mark} A1:1 C420jpeg\nFRAME\n".encode() + bytes(24))
    if mark in ("It", "Ib"):
        with pytest.raises(SignalError, match=r"a\.y4m: .*interlaced"):
            load(path)
    else:
        assert load(path).shape == (1, 4, 4)


def test_every_tag_of_colour_comes_back(tmp_path: Path) -> None:
    for layout in ("yuv420p", "yuv444p", "gray"):
        for colour in (Colour(1, 9, 9, 16), Colour(2, 5, 5, 4), Colour(1, 1, 1, 1), Colour()):
            clip = replace(smooth(layout), colour=colour, aspect=Fraction(12, 11))
            save(clip, tmp_path / "a.mkv")
            assert load(tmp_path / "a.mkv").meta() == clip.meta()


def test_a_hostile_aspect_is_ignored(tmp_path: Path) -> None:
    save(smooth(aspect=Fraction(4, 3)), tmp_path / "a.mkv")
    data = (tmp_path / "a.mkv").read_bytes()
    at = data.index(b"PIXEL_ASPECT")
    assert b"4/3" in data[at : at + 40]
    for text in (b"1e9", b"0/0", b"-/1", b"/// "[:3]):
        (tmp_path / "b.mkv").write_bytes(data[:at] + data[at:].replace(b"4/3", text, 1))
        assert load(tmp_path / "b.mkv").aspect == 1
    with av.open(str(tmp_path / "a.mkv")) as container:
        assert container.streams.video[0].metadata["PIXEL_ASPECT"] == "4/3"
