"""Video: what is not kept of a file is listed."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from video_files import encoded, plain, smooth

from inrc import codec
from inrc.errors import SignalError
from inrc.methods import COIN
from inrc.model import Model
from inrc_modalities.video import Video, sample
from inrc_modalities.video.writing import save


def film(path: Path, sounds: int = 0, cover: bool = False, **extra: Any) -> Path:
    """A clip with other things beside its pictures."""
    with av.open(str(path), "w") as container:
        container.metadata.update(extra.get("tags", {}))
        video = container.add_stream("libx264", rate=25)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        tracks = [container.add_stream("aac", rate=48000, layout="mono") for _ in range(sounds)]
        picture = container.add_stream("mjpeg", rate=1) if cover else None
        if picture is not None:
            assert isinstance(picture, VideoStream)
            picture.width, picture.height, picture.pix_fmt = 48, 32, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
        if "attached" in extra:
            container.add_attachment("notes.txt", "text/plain", extra["attached"])
        if "chapters" in extra:
            container.set_chapters(extra["chapters"])
        for number, frame in enumerate(plain("yuv420p")):
            frame.pts, frame.time_base = number + extra.get("start", 0), Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for track in tracks:
            assert isinstance(track, AudioStream)
            sound = AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            sound.rate = 48000
            container.mux(track.encode(sound))
            container.mux(track.encode(None))
        if picture is not None:
            (frame,) = plain("yuvj420p", 1)
            container.mux([*picture.encode(frame), *picture.encode(None)])
    return path


def test_other_tracks_tags_and_chapters_are_listed(tmp_path: Path) -> None:
    chapter = {"id": 1, "start": 0, "end": 80, "time_base": Fraction(1, 1000), "metadata": {}}
    cases: list[tuple[Path, list[str]]] = [
        (film(tmp_path / "a.mp4"), []),
        (film(tmp_path / "b.mp4", sounds=1), ["sound track"]),
        (film(tmp_path / "c.mkv", sounds=2), ["2 sound tracks"]),
        (film(tmp_path / "d.mp4", cover=True), ["attached picture"]),
        (film(tmp_path / "e.mkv", tags={"title": "A day", "date": "2026"}), ["tags"]),
        (film(tmp_path / "f.mp4", tags={"comment": "x"}, sounds=1), ["sound track", "tags"]),
        (film(tmp_path / "g.mkv", attached=b"words"), ["attachment"]),
        (film(tmp_path / "h.mkv", chapters=[chapter]), ["chapters"]),
    ]
    for path, lost in cases:
        assert Video().losses(path) == lost, path.name
        assert Video().read(path).shape == (4, 32, 48)


def test_what_this_project_writes_loses_nothing(tmp_path: Path) -> None:
    for suffix in (".mkv", ".mp4", ".y4m"):
        save(smooth(shape=(3, 16, 16), aspect=Fraction(4, 3)), tmp_path / f"a{suffix}")
        assert Video().losses(tmp_path / f"a{suffix}") == []
    for path in sample.write(tmp_path, 0, 1):
        assert Video().losses(path) == []


def test_times_of_a_broadcast_are_no_delay(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.ts", plain("yuv420p"), "libx264")
    with av.open(str(path)) as container:
        assert container.start_time is not None and container.start_time > 0
    assert Video().losses(path) == []
    late = film(tmp_path / "b.mkv", start=6)
    assert Video().losses(late) == ["0.24 s of delay at the start"]


def test_a_file_that_cannot_be_read_has_no_list(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(b"nothing")
    for name in ("a.mkv", "no.mkv"):
        with pytest.raises(SignalError, match=name):
            Video().losses(tmp_path / name)


@pytest.mark.parametrize("suffix", [".mov", ".avi", ".webm", ".m4v"])
def test_formats_that_are_only_read_are_measured_without_loss(tmp_path: Path, suffix: str) -> None:
    encoder = "libvpx" if suffix == ".webm" else "libx264"
    path = encoded(tmp_path / f"a{suffix}", plain("yuv420p", 3), encoder)
    assert Video.accepts(path) and Video().measurable(path) == ".mkv"
    signal = Video().read(path)
    with pytest.raises(SignalError, match=rf"cannot write '\{suffix}'; use one of"):
        Video().write(signal, tmp_path / f"b{suffix}")
    Video().write(signal, tmp_path / "b.mkv")
    assert Video().measure(path, tmp_path / "b.mkv")["psnr"] == float("inf")


def test_an_archive_of_files_that_are_only_read_decodes_to_a_folder(tmp_path: Path) -> None:
    names = ("a.mov", "b.mov", "b.mkv")
    for name in names:
        encoded(tmp_path / name, plain("yuv420p", 3), "libx264")
    model = Model.untrained(COIN(width=4, depth=1, steps=4), Video())
    made = codec.compress([tmp_path / name for name in names], model, steps=4)
    written = codec.decompress(made.data, model, tmp_path / "out")
    assert [path.name for path in written] == ["a.mkv", "b.mov.mkv", "b.mkv"]
    alone = codec.compress([tmp_path / "a.mov"], model, steps=4)
    with pytest.raises(SignalError, match=r"out/c\.mov: cannot write '\.mov'"):
        codec.decompress(alone.data, model, tmp_path / "out" / "c.mov")
