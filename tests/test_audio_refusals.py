"""Sound: files, headers and settings that are refused."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from audio_files import QUICK, make, tone
from damage import check_refusals
from hypothesis import given, settings
from hypothesis import strategies as st

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.audio import Audio


def wav(
    channels: int = 1, rate: int = 16000, size: int | None = None, data: bytes = bytes(64)
) -> bytes:
    """A WAV file of 16 bits with these words in its header."""
    size = len(data) if size is None else size
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels & 0xFFFFFFFF,
                       2 * channels & 0xFFFF, 16)  # fmt: skip
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def flac(tmp_path: Path, frames: int | None = None, rate: int | None = None) -> bytes:
    """A FLAC file whose STREAMINFO claims another length (36 bits) or rate (20 bits)."""
    content = bytearray(make(tmp_path / "good.flac", tone(5000), kind="FLAC").read_bytes())
    packed = int.from_bytes(content[18:26], "big")  # 20 bits rate, 3, 5, 36 bits samples
    if frames is not None:
        packed = packed >> 36 << 36 | frames
    if rate is not None:
        packed = packed & (1 << 44) - 1 | rate << 44
    content[18:26] = packed.to_bytes(8, "big")
    return bytes(content)


def test_refused_files_are_named_in_one_line(tmp_path: Path) -> None:
    nan, mp3 = tone(), tmp_path / "mp3.wav"
    nan[300] = np.nan
    soundfile.write(tmp_path / "nan.wav", nan, 16000, "FLOAT")
    nan[300] = np.inf
    soundfile.write(tmp_path / "inf.wav", nan, 16000, "DOUBLE")
    soundfile.write(tmp_path / "nine.wav", tone(50, 9), 16000)
    soundfile.write(tmp_path / "adpcm.wav", tone(), 16000, "IMA_ADPCM")
    soundfile.write(tmp_path / "aiff.wav", tone(), 16000, format="AIFF")
    soundfile.write(mp3, tone(9000), 16000, format="MP3")
    good = make(tmp_path / "good.wav").read_bytes()
    contents = {
        "zero.wav": (wav(data=b""), "no samples"),
        "cut.wav": (good[:-200], "cut short"),
        "noend.wav": (good[:40], "cut short"),
        "liar.wav": (wav(size=1 << 30), "cut short"),
        "crowd.wav": (wav(channels=65535), "65535 channels|not a WAV"),
        "slow.wav": (wav(rate=0), "0 samples per second|not a WAV"),
        "fast.wav": (wav(rate=4_000_000_000), "samples per second|not a WAV"),
        "long.flac": (flac(tmp_path, frames=(1 << 36) - 1), "the limit"),
        "longer.flac": (flac(tmp_path, frames=1 << 30), "cut short|damaged"),
        "cut.flac": (flac(tmp_path)[:-300], "damaged"),
        "text.wav": (b"RIFF is a word", "not a WAV|cut short"),
    }
    damaged = bytearray(flac(tmp_path))
    damaged[len(damaged) // 2] ^= 0x55
    contents["damaged.flac"] = (bytes(damaged), "damaged")
    soundfile.write(tmp_path / "o.ogg", tone(60000), 44100, format="OGG")
    ogg = (tmp_path / "o.ogg").read_bytes()
    contents["cut.ogg"] = (ogg[: 3 * len(ogg) // 4], "cut short")
    contents["short.ogg"] = (ogg[:-1], "cut short")
    for name, (content, _) in contents.items():
        (tmp_path / name).write_bytes(content)
    others = {"nan.wav": "NaN", "inf.wav": "infinite", "nine.wav": "9 channels",
              "adpcm.wav": "IMA_ADPCM", "aiff.wav": "AIFF", "mp3.wav": "MP3"}  # fmt: skip
    for name, reason in {**{n: r for n, (_, r) in contents.items()}, **others}.items():
        with pytest.raises(SignalError, match=reason) as caught:
            Audio().read(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / name)) and "\n" not in message


def test_a_stream_of_unknown_length_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(size=0xFFFFFFFF, data=bytes(400)))
    assert Audio().read(tmp_path / "a.wav").shape == (1, 200)


@pytest.mark.parametrize(
    "wrong",
    [{"frames": 0}, {"frames": 1 << 40}, {"frames": 2.0}, {"frames": True}, {"channels": 9},
     {"channels": None}, {"rate": 0}, {"rate": 1 << 20}, {"format": "AIFF"}, {"format": ["WAV"]},
     {"subtype": "VORBIS"}, {"subtype": 7}, {"gain": 1000}, {"gain": 0.0}, {"sides": 1},
     {"sides": True}],
)  # fmt: skip
def test_impossible_headers_are_refused(wrong: dict[str, object]) -> None:
    meta = {"frames": 9, "channels": 1, "rate": 8000, "format": "WAV", "subtype": "PCM_16",
            "gain": 0, "sides": False}  # fmt: skip
    assert Audio().shape(meta) == (1, 9)
    with pytest.raises(SignalError, match=r"header|limit"):
        Audio().shape({**meta, **wrong})
    for key in wrong:
        with pytest.raises(SignalError):
            Audio().shape({k: v for k, v in meta.items() if k != key})


def test_writing_fails_cleanly(tmp_path: Path) -> None:
    signal = Audio().read(make(tmp_path / "a.wav"))
    (tmp_path / "taken.wav").mkdir()
    for name in ("a.mp3", "no/a.wav", "taken.wav"):
        with pytest.raises(SignalError, match=r"write|written"):
            Audio().write(signal, tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "taken.wav"]
    with pytest.raises(SignalError, match="patch 0; give 1"):
        Audio(patch=0)


@QUICK
@given(st.integers(1, 300), st.integers(1, 4), st.integers(1, 80))
def test_parts_are_asked_as_they_were_cut_and_join_again(
    tmp_path: Path, frames: int, channels: int, patch: int
) -> None:
    modality = Audio(patch)
    whole = modality.read(make(tmp_path / "a.wav", tone(frames, channels)))
    signal, plan = modality.split(whole), modality.plan_queries(whole.meta, View())
    many = -(-frames // patch)
    assert signal.features.shape == (channels * many, patch, 1)
    assert torch.equal(plan.queries, signal.queries) and plan.queries.abs().max() <= 5
    assert plan.parts == tuple(range(signal.parts))
    again = modality.join(signal.features, whole.meta, View())
    assert torch.equal(again.features, whole.features) and again.meta == whole.meta
    assert torch.equal(again.queries, whole.queries) and again.shape == (channels, frames)
    for c in range(channels):  # numpy's reflection
        wanted = np.pad(whole.features[c, :, 0].numpy(), (0, many * patch - frames), "reflect")
        rows = signal.features[c * many : (c + 1) * many].flatten()
        assert np.array_equal(rows.numpy(), wanted)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One file of every kind."""
    folder, paths = tmp_path_factory.mktemp("whole"), []
    for number, (kind, subtype) in enumerate(
        [("WAV", "PCM_16"), ("WAVEX", "FLOAT"), ("RF64", "PCM_24"), ("FLAC", "PCM_16"),
         ("OGG", "VORBIS"), ("OGG", "OPUS")]
    ):  # fmt: skip
        suffix = {"FLAC": ".flac", "OGG": ".ogg"}.get(kind, ".wav")
        paths.append(folder / f"{number}{suffix}")
        soundfile.write(paths[-1], tone(900, 2), 48000, subtype, format=kind)
    piped = bytearray(paths[3].read_bytes())
    piped[21] &= 0xF0
    piped[22:26] = bytes(4)
    paths.append(folder / "piped.flac")
    paths[-1].write_bytes(piped)
    return paths


@settings(QUICK, max_examples=150)
@given(data=st.data())
def test_damage_ends_in_one_line(whole: list[Path], data: st.DataObject) -> None:
    check_refusals(whole, (Audio().read, Audio().losses), data)
