"""Sound: files of unknown length, and what is not kept of a file."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from audio_files import make, tone
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.audio import Audio, flac
from inrc_modalities.audio.reading import load, read_header

SOUND = (np.sin(np.arange(2001) / 9) * 9000).astype("<i2")
SOME = bytes(range(8))


def chunk(name: bytes, content: bytes, size: int | None = None, order: str = "<") -> bytes:
    size = len(content) if size is None else size
    return name + struct.pack(f"{order}I", size) + content + bytes(len(content) % 2)


def form(bits: int = 16, valid: int | None = None, mask: int = 0, channels: int = 1) -> bytes:
    """A format chunk of 16 kHz; extensible if it says how many bits are valid."""
    frame = channels * bits // 8
    plain = struct.pack("<HIIHH", channels, 16000, 16000 * frame, frame, bits)
    if valid is None:
        return chunk(b"fmt ", b"\1\0" + plain)
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    return chunk(b"fmt ", b"\xfe\xff" + plain + struct.pack("<HHI", 22, valid, mask) + guid)


def wav(path: Path, *chunks: bytes, size: int | None = None, magic: bytes = b"RIFF") -> Path:
    body = b"WAVE" + b"".join(chunks)
    size = len(body) if size is None else size
    path.write_bytes(magic + struct.pack("<I", size) + body)
    return path


@pytest.mark.parametrize("declared", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("whole", [0, 8, 36, 0x7FFFF024, 0xFFFFFFFF])
def test_a_wav_from_a_pipe_is_read_to_its_end(tmp_path: Path, declared: int, whole: int) -> None:
    path = wav(tmp_path / "a.wav", form(), chunk(b"data", SOUND.tobytes(), declared), size=whole)
    header, samples = load(path)
    assert header == read_header(path) and header.frames == 2001
    assert np.array_equal(samples[0], SOUND / np.float32(32768))


@pytest.mark.parametrize("declared", [0, 4002, 1 << 62, (1 << 63) - 1, (1 << 64) - 1])
def test_an_rf64_from_a_pipe_is_read_to_its_end(tmp_path: Path, declared: int) -> None:
    sizes = chunk(b"ds64", struct.pack("<QQQI", declared, declared, 0, 0))
    data = chunk(b"data", SOUND.tobytes(), 0xFFFFFFFF)
    path = wav(tmp_path / "a.wav", sizes, form(), data, size=0xFFFFFFFF, magic=b"RF64")
    header, samples = load(path)
    assert (header.format, header.frames) == ("RF64", 2001)
    assert np.array_equal(samples[0], SOUND / np.float32(32768))


@pytest.mark.parametrize("declared", [4003, 1 << 30, 0x90000000, 0xF0000000])
def test_a_wav_that_ends_before_its_size_is_cut_short(tmp_path: Path, declared: int) -> None:
    data = chunk(b"data", SOUND.tobytes(), declared)
    path = wav(tmp_path / "a.wav", form(), data, size=(36 + declared) & 0xFFFFFFFF)
    with pytest.raises(SignalError, match=r"a\.wav: cut short"):
        load(path)


def test_an_empty_wav_is_called_empty(tmp_path: Path) -> None:
    for name, rest in (("a.wav", b""), ("b.wav", chunk(b"LIST", b"INFO"))):
        path = wav(tmp_path / name, form(), chunk(b"data", b""), rest)
        with pytest.raises(SignalError, match=rf"{name}: holds no samples"):
            load(path)


def piped(
    path: Path, sound: NDArray[np.float64], subtype: str = "PCM_16", rate: int = 16000
) -> bytearray:
    """A FLAC as a pipe gets it: without the number of its samples and their MD5."""
    soundfile.write(path, sound, rate, subtype)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26], data[26:42] = bytes(4), bytes(16)
    path.write_bytes(data)
    return data


@pytest.mark.parametrize("frames", [1, 500, 4096, 4097, 300_000])
@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_a_flac_from_a_pipe_is_read_whole(tmp_path: Path, frames: int, subtype: str) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, (frames, 2))
    piped(tmp_path / "a.flac", sound, subtype, 44100)
    soundfile.write(tmp_path / "b.flac", sound, 44100, subtype)
    assert read_header(tmp_path / "a.flac") == read_header(tmp_path / "b.flac")
    assert np.array_equal(load(tmp_path / "a.flac")[1], load(tmp_path / "b.flac")[1])


@pytest.mark.parametrize("lost", [1, 2, 3, 100, 5000, 40_000])
def test_a_cut_flac_from_a_pipe_is_refused(tmp_path: Path, lost: int) -> None:
    data = piped(tmp_path / "a.flac", np.random.default_rng(0).normal(0, 0.1, (40_000, 1)))
    (tmp_path / "a.flac").write_bytes(data[:-lost])
    with pytest.raises(SignalError, match=r"a\.flac: cut short or damaged, its last frame"):
        load(tmp_path / "a.flac")


@pytest.mark.parametrize("size", [16, 192, 576, 1000, 4096, 4608, 65535])
def test_headers_of_frames_are_read_as_ffmpeg_writes_them(tmp_path: Path, size: int) -> None:
    import av

    sound = np.random.default_rng(1).integers(
        -900, 900, (1, 200 * size if size < 999 else 9 * size)
    )
    with av.open(str(tmp_path / "a.flac"), "w") as container:
        stream = container.add_stream("flac", rate=48000, layout="mono")
        stream.codec_context.options = {"frame_size": str(size)}
        for at in range(0, sound.shape[1], 4000):
            block = np.ascontiguousarray(sound[:, at : at + 4000].astype(np.int16))
            frame = av.AudioFrame.from_ndarray(block, "s16", "mono")
            frame.sample_rate = 48000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    with (tmp_path / "a.flac").open("rb") as file:
        ((place, patch),) = flac.patches(file, len(data)).items()
    assert place == 18 and int.from_bytes(patch, "big") & (1 << 36) - 1 == sound.shape[1]


def test_what_is_not_kept_of_a_wav_is_listed(tmp_path: Path) -> None:
    data = chunk(b"data", SOUND.tobytes())
    info = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"name"))
    software = chunk(b"LIST", b"INFO" + chunk(b"ISFT", b"Lavf60"))
    labels = chunk(b"LIST", b"adtl" + chunk(b"labl", SOME))
    three, six = bytes(12), bytes(24)
    cases = [
        ((form(), data), []),
        ((form(), chunk(b"JUNK", SOME), chunk(b"fact", SOME), data, software), []),
        ((form(), data, info, chunk(b"id3 ", SOME)), ["tags"]),
        ((form(), chunk(b"bext", SOME), data), ["broadcast metadata"]),
        ((form(), data, chunk(b"cue ", SOME), labels), ["cue points", "labels"]),
        ((form(), data, chunk(b"smpl", SOME)), ["loops"]),
        ((form(), chunk(b"Cust", SOME), data), ["chunk 'Cust'"]),
        ((form(valid=16, mask=4), data), []),
        ((form(valid=16, mask=0x600, channels=2), chunk(b"data", six)), ["speaker positions"]),
        ((form(valid=16, mask=0x3F, channels=6), chunk(b"data", six)), []),
        ((form(valid=16, mask=0x60F, channels=6), chunk(b"data", six)), ["speaker positions"]),
        (
            (form(bits=24, valid=20, mask=4), chunk(b"data", three)),
            ["that 20 of 24 bits are valid"],
        ),
    ]
    for number, (chunks, lost) in enumerate(cases):
        path = wav(tmp_path / f"{number}.wav", *chunks)
        assert Audio().losses(path) == lost
        assert Audio().read(path).shape[1] > 0


def test_what_is_not_kept_of_flac_and_ogg_is_listed(tmp_path: Path) -> None:
    for suffix, kind, subtype in [("flac", "FLAC", "PCM_16"), ("ogg", "OGG", "VORBIS"),
                                  ("opus", "OGG", "OPUS")]:  # fmt: skip
        path = tmp_path / f"a.{suffix}"
        soundfile.write(path, tone(5000), 48000, subtype, format=kind)
        assert Audio().losses(path) == []
        with soundfile.SoundFile(path, "w", 48000, 1, subtype, format=kind) as file:
            file.title = "Tea"
            file.write(tone(5000))
        assert Audio().losses(path) == ["tags"]
    soundfile.write(tmp_path / "b.flac", tone(5000), 48000)
    data = (tmp_path / "b.flac").read_bytes()
    picture = struct.pack(">8I", 3, 0, 0, 1, 1, 8, 0, 0)
    blocks = bytes([2, 0, 0, 8]) + SOME + bytes([6, 0, 0, 32]) + picture
    (tmp_path / "b.flac").write_bytes(data[:42] + blocks + data[42:])
    assert Audio().losses(tmp_path / "b.flac") == ["application data", "pictures"]


ID3 = b"ID3\4\0\0\0\0\1\2" + bytes(130)
ID3_V1 = b"TAG" + bytes(125)


@pytest.mark.parametrize(("before", "after"), [(ID3, b""), (b"", ID3_V1), (ID3, ID3_V1)])
def test_id3_tags_around_a_flac(tmp_path: Path, before: bytes, after: bytes) -> None:
    soundfile.write(tmp_path / "a.flac", tone(5000), 16000)
    whole = (tmp_path / "a.flac").read_bytes()
    for data in (whole, bytes(piped(tmp_path / "b.flac", tone(5000)))):
        (tmp_path / "c.flac").write_bytes(before + data + after)
        assert np.array_equal(load(tmp_path / "c.flac")[1], load(tmp_path / "a.flac")[1])
        assert Audio().losses(tmp_path / "c.flac") == ["tags"]


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_several_streams_of_ogg_are_refused(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, tone(9000), 48000, subtype, format="OGG")
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(SignalError, match=r"a\.ogg: 2 streams in one file"):
        load(path)


def test_what_this_project_writes_loses_nothing(tmp_path: Path) -> None:
    for channels in range(1, 9):
        for suffix, kind in (
            (".wav", "WAV"),
            (".wav", "WAVEX"),
            (".wav", "RF64"),
            (".flac", "FLAC"),
        ):
            path = make(tmp_path / f"a{suffix}", tone(90, channels), kind=kind)
            assert Audio().losses(path) == []
    with pytest.raises(SignalError, match=r"none\.wav: no such file"):
        Audio().losses(tmp_path / "none.wav")


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".oga", ".wave", ".wav", ".flac"])
def test_every_file_that_is_read_is_measured_without_a_second_loss(
    tmp_path: Path, suffix: str
) -> None:
    kind = {".wave": "WAV", ".wav": "WAV", ".flac": "FLAC"}.get(suffix, "OGG")
    subtype = {"WAV": "FLOAT", "FLAC": "PCM_24"}.get(kind, "OPUS")
    peak = 1.0 if kind == "FLAC" else 1.4
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, tone(9000, 2, peak), 48000, subtype, format=kind)
    modality = Audio()
    assert Audio.accepts(path) and modality.measurable(path) == ".wav"
    signal = modality.read(path)
    modality.write(signal, tmp_path / "b.wav")
    assert modality.measure(path, tmp_path / "b.wav")["psnr"] > 140  # float32, middle and side


def test_a_chunk_beyond_the_end_does_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + bytes(4) + b"WAVE" + b"abcd" + struct.pack("<I", 0xFFFFFFF0))
    with pytest.raises(SignalError, match=r"a\.wav: cut short"):
        load(path)
