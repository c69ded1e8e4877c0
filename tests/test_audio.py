"""Sound: files to signals and back."""

import math
import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
from audio_files import make, tone

from inrc.errors import SignalError
from inrc.signal import Signal
from inrc.testing import check_modality
from inrc_modalities.audio import Audio
from inrc_modalities.audio.formats import STORED, SUFFIXES, Header
from inrc_modalities.audio.reading import load, read_header

KINDS = [
    (kind, subtype)
    for kind, subtypes in STORED.items()
    for subtype in subtypes
    if subtype not in ("VORBIS", "OPUS")
]


SUFFIX = {kind: suffix for suffix, kinds in SUFFIXES.items() for kind in kinds}


def test_the_law_of_modalities_is_kept(tmp_path: Path) -> None:
    kinds = [
        ("a.wav", 1, 16000, "WAV", "PCM_16"), ("b.wav", 2, 44100, "WAV", "PCM_24"),
        ("c.wav", 6, 48000, "WAVEX", "FLOAT"), ("d.flac", 8, 96000, "FLAC", "PCM_24"),
        ("e.wav", 1, 8000, "WAV", "PCM_U8"), ("f.wav", 2, 11025, "RF64", "DOUBLE"),
    ]  # fmt: skip
    paths = [
        make(tmp_path / name, tone(300 + channels, channels), rate, kind, subtype)
        for name, channels, rate, kind, subtype in kinds
    ]
    (tmp_path / "law").mkdir()
    check_modality(Audio(patch=64), paths, tmp_path / "law")


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_what_is_read_is_written_as_it_was(
    tmp_path: Path, kind: str, subtype: str, channels: int
) -> None:
    suffix, rate = SUFFIX[kind], 22050
    rng = np.random.default_rng(0)
    noise = np.concatenate([rng.uniform(-1, 1, (500, channels)), tone(77, channels, 1.0)])
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    soundfile.write(first, noise, rate, subtype, format=kind)
    signal = Audio().read(first)
    Audio().write(signal, second)
    one, two = soundfile.info(first), soundfile.info(second)
    for name in ("frames", "channels", "samplerate", "format", "subtype"):
        assert getattr(one, name) == getattr(two, name)
    # float32 features hold 24 bits; middle and side, and those below, round a little
    quantum = {"FLOAT": 2e-7, "DOUBLE": 2e-7, "PCM_32": 2e-7, "PCM_24": 2e-7}.get(subtype, 0.0)
    error = np.abs(soundfile.read(first)[0] - soundfile.read(second)[0]).max()
    assert error <= (quantum if not (subtype == "PCM_24" and channels != 2) else 0.0)


def test_ogg_comes_back_as_ogg(tmp_path: Path) -> None:
    for subtype, rate in [("VORBIS", 44100), ("OPUS", 48000)]:
        path, again = tmp_path / f"{subtype}.ogg", tmp_path / f"{subtype}2.ogg"
        soundfile.write(path, tone(9000, 2), rate, subtype, format="OGG")
        Audio().write(Audio().read(path), again)
        assert read_header(again) == read_header(path) == Header(9000, 2, rate, "OGG", subtype)
        assert Audio().measure(path, again)["snr"] > 20


def test_other_software_hears_the_same(tmp_path: Path) -> None:
    sound = tone(1000, 2)
    levels = np.floor(sound * 2**15 + 0.5).astype(np.int16)
    with wave.open(str(make(tmp_path / "a.wav", sound)), "rb") as file:  # Python's own
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 16000, 2)
        assert file.readframes(1000) == levels.tobytes()
    for name, kind, subtype in [("b.flac", "FLAC", "PCM_16"), ("c.wav", "WAVEX", "FLOAT")]:
        path = make(tmp_path / name, sound, 48000, kind, subtype)
        with av.open(str(path)) as source:  # FFmpeg's
            frames = [frame.to_ndarray() for frame in source.decode(audio=0)]
            assert source.streams.audio[0].rate == 48000
        samples = np.concatenate(frames, axis=1).reshape(-1, 2)
        wanted = levels if subtype == "PCM_16" else sound.astype(np.float32)
        assert np.array_equal(samples, wanted)


def test_another_suffix_takes_the_nearest_format(tmp_path: Path) -> None:
    for name, kind, subtype, out, wanted in [
        ("a.flac", "FLAC", "PCM_24", "a.wav", ("WAV", "PCM_24")),
        ("b.wav", "WAV", "FLOAT", "b.flac", ("FLAC", "PCM_24")),
        ("c.wav", "WAV", "ULAW", "c.flac", ("FLAC", "PCM_16")),
        ("d.wav", "WAV", "PCM_16", "d.ogg", ("OGG", "VORBIS")),
        ("e.flac", "FLAC", "PCM_S8", "e.wav", ("WAV", "PCM_U8")),
    ]:
        signal = Audio().read(make(tmp_path / name, None, 16000, kind, subtype))
        Audio().write(signal, tmp_path / out)
        header = read_header(tmp_path / out)
        assert (header.format, header.subtype) == wanted
    six = Audio().read(make(tmp_path / "six.flac", tone(50, 6), 16000, "FLAC"))
    Audio().write(six, tmp_path / "six.wav")
    assert read_header(tmp_path / "six.wav").format == "WAVEX"
    long = Header(1 << 31, 1, 48000, "WAV", "PCM_24")
    assert long.stored_as(".wav").format == "RF64"


def test_levels_are_rounded_and_clipped(tmp_path: Path) -> None:
    values = torch.tensor(
        [-9.0, 0.0, 0.5, 0.5 + 0.4 / 65536, 0.5 + 0.6 / 65536, 1.0, 9.0, math.nan]
    )
    meta = {**Audio().read(make(tmp_path / "a.wav")).meta, "frames": 8}
    signal = Signal(torch.zeros(1, 8, 1), values[None, :, None], (1, 8), meta)
    Audio().write(signal, tmp_path / "b.wav")
    samples, _ = soundfile.read(tmp_path / "b.wav", dtype="int16")
    assert samples.tolist() == [-32768, -32768, 0, 0, 1, 32767, 32767, 0]


@pytest.mark.parametrize(("peak", "gain"), [(1.5, 0), (3.0, 2), (32768.0, 16), (1e30, 100)])
def test_floats_beyond_full_scale_are_kept(tmp_path: Path, peak: float, gain: int) -> None:
    path = make(tmp_path / "a.wav", tone(peak=peak), subtype="FLOAT")
    signal = Audio().read(path)
    assert signal.meta["gain"] == gain
    assert signal.features.min() >= -0.5 and signal.features.max() <= 1.5
    Audio().write(signal, tmp_path / "b.wav")
    (_, one), (_, two) = load(path), load(tmp_path / "b.wav")
    assert np.abs(one - two).max() <= 1e-6 * peak
    with pytest.raises(SignalError, match=r"c\.flac: PCM_24 would clip .* write \.wav"):
        Audio().write(signal, tmp_path / "c.flac")
    assert not (tmp_path / "c.flac").exists()


@pytest.mark.parametrize(("peak", "gain"), [(0.9, 0), (0.5, 0), (0.4, -1), (0.01, -6), (0.0, 0)])
def test_quiet_files_can_be_brought_to_one_level(tmp_path: Path, peak: float, gain: int) -> None:
    sound = tone(peak=peak) if peak else np.zeros((700, 1))
    path, again = make(tmp_path / "a.wav", sound, subtype="PCM_24"), tmp_path / "b.wav"
    signal = Audio(normalise=True).read(path)
    assert signal.meta["gain"] == gain and Audio().read(path).meta["gain"] == 0
    Audio(normalise=True).write(signal, again)
    assert Audio().measure(path, again)["psnr"] == math.inf


def test_stereo_is_turned_where_that_pays(tmp_path: Path) -> None:
    one, other = tone(900), np.random.default_rng(0).normal(0, 0.1, (900, 1))
    for name, sound, sides in [
        ("alike", np.concatenate([one, 0.9 * one], 1), True),
        ("apart", np.concatenate([one, other], 1), False),
        ("mono", np.concatenate([one, one], 1), True),
        ("left", np.concatenate([one, 0 * one], 1), False),
        ("silent", np.zeros((900, 2)), False),
    ]:
        path, again = make(tmp_path / f"{name}.wav", sound), tmp_path / f"{name}2.wav"
        signal = Audio().read(path)
        assert signal.meta["sides"] is sides
        before, after = ((load(p)[1] ** 2).sum() for p in (path, path))
        assert ((signal.features - 0.5) ** 2).sum() * 4 == pytest.approx(before, rel=1e-5)
        if name == "mono":
            assert (signal.features[1] - 0.5).abs().max() < 1e-6
        Audio().write(signal, again)
        assert Audio().measure(path, again)["psnr"] == math.inf and after == before


def test_a_codec_needs_no_trainer() -> None:
    code = "import sys, inrc_modalities.audio; sys.exit('lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(ImportError, match="Nothing"):
        from inrc_modalities.audio import Nothing  # noqa: F401
