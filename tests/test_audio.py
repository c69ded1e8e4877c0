"""Sound: files to signals and back, views, quality, baselines."""

import io
import math
import struct
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchmetrics.functional.audio import (
    scale_invariant_signal_distortion_ratio,
    signal_noise_ratio,
)

from inrc.errors import SignalError
from inrc.signal import Signal, View
from inrc.testing import check_modality
from inrc_modalities.audio import Audio
from inrc_modalities.audio.formats import STORED, SUFFIXES, Header
from inrc_modalities.audio.quality import spectrogram
from inrc_modalities.audio.reading import load, look
from inrc_modalities.audio.writing import save

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SPEECH = sorted((Path(__file__).parents[2] / "shared" / "data" / "audio" / "speech").glob("*.flac"))
KINDS = [
    (kind, subtype)
    for kind, subtypes in STORED.items()
    for subtype in subtypes
    if subtype not in ("VORBIS", "OPUS")
]
SUFFIX = {kind: suffix for suffix, kinds in SUFFIXES.items() for kind in kinds}


def tone(frames: int = 700, channels: int = 1, peak: float = 0.8) -> NDArray[np.float64]:
    """A different mixture of sines in every channel, frames by channels."""
    t = np.arange(frames)[:, None] / 16000
    c = np.arange(channels)[None] + 1
    sound = np.sin(2 * np.pi * 220 * c * t) + 0.5 * np.sin(2 * np.pi * 1330 * t + c)
    return peak * sound / np.abs(sound).max()


def make(
    path: Path,
    sound: NDArray[np.float64] | None = None,
    rate: int = 16000,
    kind: str = "WAV",
    subtype: str = "PCM_16",
) -> Path:
    """A sound file."""
    sound = tone() if sound is None else sound
    save(Header(len(sound), sound.shape[1], rate, kind, subtype), [sound], path)
    return path


def decode(modality: Audio, path: Path, view: View, field: Callable[..., NDArray]) -> Signal:
    """What a codec would make of a view if its field were this function of seconds."""
    meta = modality.read(path).meta
    ask = modality.ask(meta, view)
    many = -(-meta["frames"] // modality.patch)
    part = torch.tensor(ask.parts, dtype=torch.float64)[:, None, None]
    local = (ask.queries.double() + 5.0) / 10.0
    assert (local > 0).all() and (local < 1).all()
    seconds = (part % many + local) * modality.patch / meta["rate"]
    channel = torch.div(part, many, rounding_mode="floor").expand_as(seconds)
    return modality.join(
        torch.from_numpy(field(seconds.numpy(), channel.numpy())).float(), meta, view
    )


# --- files ---------------------------------------------------------------------------------------


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
        assert look(again) == look(path) == Header(9000, 2, rate, "OGG", subtype)
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
        found = np.concatenate(frames, axis=1).reshape(-1, 2)
        wanted = levels if subtype == "PCM_16" else sound.astype(np.float32)
        assert np.array_equal(found, wanted)


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
        header = look(tmp_path / out)
        assert (header.format, header.subtype) == wanted
    six = Audio().read(make(tmp_path / "six.flac", tone(50, 6), 16000, "FLAC"))
    Audio().write(six, tmp_path / "six.wav")
    assert look(tmp_path / "six.wav").format == "WAVEX"
    long = Header(1 << 31, 1, 48000, "WAV", "PCM_24")
    assert long.stored_as(".wav").format == "RF64"


def test_levels_are_rounded_and_clipped(tmp_path: Path) -> None:
    values = torch.tensor(
        [-9.0, 0.0, 0.5, 0.5 + 0.4 / 65536, 0.5 + 0.6 / 65536, 1.0, 9.0, math.nan]
    )
    meta = {**Audio().read(make(tmp_path / "a.wav")).meta, "frames": 8}
    signal = Signal(torch.zeros(1, 8, 1), values[None, :, None], (1, 8), meta)
    Audio().write(signal, tmp_path / "b.wav")
    found, _ = soundfile.read(tmp_path / "b.wav", dtype="int16")
    assert found.tolist() == [-32768, -32768, 0, 0, 1, 32767, 32767, 0]


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


# --- refusals ------------------------------------------------------------------------------------


def wav(channels: int = 1, rate: int = 16000, size: int | None = None, data: bytes = bytes(64)):
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
    with pytest.raises(SignalError, match="patch of 0"):
        Audio(patch=0)


# --- parts and views -----------------------------------------------------------------------------


@QUICK
@given(st.integers(1, 300), st.integers(1, 4), st.integers(1, 80))
def test_parts_are_asked_as_they_were_cut_and_join_again(
    tmp_path: Path, frames: int, channels: int, patch: int
) -> None:
    modality = Audio(patch)
    whole = modality.read(make(tmp_path / "a.wav", tone(frames, channels)))
    signal, ask = modality.split(whole), modality.ask(whole.meta, View())
    many = -(-frames // patch)
    assert signal.features.shape == (channels * many, patch, 1)
    assert torch.equal(ask.queries, signal.queries) and ask.queries.abs().max() <= 5
    assert ask.parts == tuple(range(signal.parts))
    again = modality.join(signal.features, whole.meta, View())
    assert torch.equal(again.features, whole.features) and again.meta == whole.meta
    assert torch.equal(again.queries, whole.queries) and again.shape == (channels, frames)
    for c in range(channels):  # numpy's reflection
        wanted = np.pad(whole.features[c, :, 0].numpy(), (0, many * patch - frames), "reflect")
        rows = signal.features[c * many : (c + 1) * many].flatten()
        assert np.array_equal(rows.numpy(), wanted)


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
    found = decode(Audio(patch), path, view, field)
    assert found.shape == (channels, inside.sum()) and found.meta["rate"] == target
    assert found.meta["frames"] == inside.sum()
    wanted = field(seconds[None], np.arange(channels)[:, None])[:, inside]
    error = np.abs(found.features[..., 0].numpy() - wanted)
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
    ask = modality.ask(meta, View(region=(("t", 0.0125, 0.03),)))  # samples 200 to 480
    assert ask.parts == (2, 3, 4, 18, 19, 20) and ask.queries.shape == (1, 100, 1)
    pieces = modality.split(modality.read(path)).features[list(ask.parts)]
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
        Audio().ask(meta, view)
    with pytest.raises(SignalError, match="both"):
        Audio().ask(meta, View(scale=2.0, at=path))


# --- quality, pictures, samples, baselines -------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("level", [1e-4, 0.05, 0.5])
def test_measures_agree_with_torchmetrics(tmp_path: Path, channels: int, level: float) -> None:
    sound = tone(70_000, channels, 0.3)  # more than one block
    noise = np.random.default_rng(0).normal(0, level, sound.shape)
    a = make(tmp_path / "a.wav", sound, subtype="FLOAT")
    b = make(tmp_path / "b.wav", 0.9 * sound + noise, subtype="FLOAT")
    found = Audio().measure(a, b)
    one, two = (torch.from_numpy(load(p)[1]).double() for p in (a, b))
    si_sdr = scale_invariant_signal_distortion_ratio(two, one).mean()
    assert found["si_sdr"] == pytest.approx(float(si_sdr), abs=1e-6)
    snr = signal_noise_ratio(two.flatten(), one.flatten())
    assert found["snr"] == pytest.approx(float(snr), abs=1e-6)
    error = (((one + 1) / 2 - (two + 1) / 2) ** 2).mean()
    assert found["psnr"] == pytest.approx(float(-10 * torch.log10(error)), abs=1e-9)


def test_measures_of_silence_equality_and_unlike_files(tmp_path: Path) -> None:
    quiet, loud = make(tmp_path / "q.wav", np.zeros((700, 1))), make(tmp_path / "l.wav")
    assert set(Audio().measure(loud, loud).values()) == {math.inf}
    assert set(Audio().measure(quiet, quiet).values()) == {math.inf}
    found = Audio().measure(quiet, loud)
    assert found["snr"] == found["si_sdr"] == -math.inf and math.isfinite(found["psnr"])
    for other in (tone(701), tone(700, 2)):
        with pytest.raises(SignalError, match=r"but .* has"):
            Audio().measure(loud, make(tmp_path / "o.wav", other))
    with pytest.raises(SignalError, match="8000 samples per second"):
        Audio().measure(loud, make(tmp_path / "o.wav", rate=8000))


def test_a_spectrogram_shows_a_tone_where_it_is(tmp_path: Path) -> None:
    t = np.arange(40_000)[:, None] / 16000
    path = make(tmp_path / "a.wav", np.sin(2 * np.pi * 2000 * t))
    image = spectrogram(path)
    rows = 256 - image.argmax(0)
    assert image.shape[0] == 257 and (rows == 64).all()  # 2000 of 8000 Hz, of 256 steps
    assert np.allclose(image.max(0), 0.0, atol=0.1)
    first, second = Audio().picture(path, make(tmp_path / "b.wav"))
    assert first["unit"] == "dB" and second["image"].ndim == 2


def test_samples_are_readable_seeded_and_written_once(tmp_path: Path) -> None:
    paths = Audio().sample(tmp_path / "a", 3, 2)
    contents = [path.read_bytes() for path in paths]
    times = [path.stat().st_mtime_ns for path in paths]
    assert Audio().sample(tmp_path / "a", 3, 2) == paths
    assert [path.stat().st_mtime_ns for path in paths] == times
    paths[1].unlink()
    assert Audio().sample(tmp_path / "a", 3, 2)[1].read_bytes() == contents[1]
    assert [p.read_bytes() for p in Audio().sample(tmp_path / "b", 4, 2)] != contents
    for path in paths:
        header, samples = load(path)
        assert header.rate == 16000 and header.frames == 48000
        assert 0.15 < np.abs(samples).max() < 0.8
    # speech has pauses, and both have more below 4 kHz than above
    speech = load(paths[0])[1][0]
    power = [np.sqrt((frame**2).mean()) for frame in speech.reshape(-1, 800)]
    assert min(power) < 0.05 * max(power)
    for path in paths:
        energy = np.abs(np.fft.rfft(load(path)[1][0])) ** 2
        assert energy[: len(energy) // 2].sum() > 5 * energy[len(energy) // 2 :].sum()


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("rate", "channels", "suffix"), [(16000, 1, ".flac"), (44100, 2, ".wav"), (32000, 1, ".wav")]
)
def test_baselines_come_back_aligned_and_at_their_volume(
    tmp_path: Path, number: int, rate: int, channels: int, suffix: str
) -> None:
    codec = Audio().baselines()[number]
    t = np.arange(2 * rate)[:, None] / rate
    sweep = 0.4 * np.sin(2 * np.pi * (200 * t + 300 * t**2)) * np.sin(np.pi * t / 2)
    sweep += np.random.default_rng(0).normal(0.0, 0.003, sweep.shape)
    kind = "FLAC" if suffix == ".flac" else "WAV"
    path = make(tmp_path / f"a{suffix}", np.repeat(sweep, channels, 1), rate, kind)
    out, sizes, quality = tmp_path / f"b{suffix}", [], []
    for kbits in (codec.qualities[3], codec.qualities[7]):
        data = codec.encode(path, kbits)
        codec.decode(data, path, out)
        sizes.append(len(data))
        quality.append(Audio().measure(path, out)["snr"])
        assert look(out) == look(path)
    assert sizes[0] < sizes[1] and quality[0] < quality[1] and quality[1] > 28
    with av.open(io.BytesIO(data)) as source:
        assert source.streams.audio[0].codec_context.name.startswith(codec.name.lower())
    one, two = load(path)[1][0], load(out)[1][0]
    assert float(one @ two / (one @ one)) == pytest.approx(1.0, abs=0.01)


def test_baselines_refuse_what_they_cannot(tmp_path: Path) -> None:
    mp3, opus = Audio().baselines()
    path = make(tmp_path / "a.wav", tone(9000, 6), 48000, "WAVEX")
    with pytest.raises(SignalError, match="at most 2 channels"):
        mp3.encode(path, 64)
    opus.decode(opus.encode(path, 256), path, tmp_path / "b.wav")
    assert look(tmp_path / "b.wav") == look(path)


@pytest.mark.skipif(not SPEECH, reason="no speech at hand")
def test_real_speech(tmp_path: Path) -> None:
    modality, path, out = Audio(), SPEECH[0], tmp_path / "out.flac"
    signal = modality.split(modality.read(path))
    modality.write(modality.join(signal.features, signal.meta, View()), out)
    assert modality.measure(path, out)["psnr"] == math.inf
    assert out.stat().st_size < 1.2 * path.stat().st_size
