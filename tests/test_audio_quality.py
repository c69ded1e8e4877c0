"""Sound: measures, samples and baselines."""

import io
import math
from pathlib import Path

import av
import numpy as np
import pytest
from audio_files import make, tone
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.audio import Audio
from inrc_modalities.audio.quality import LIMIT, spectrogram
from inrc_modalities.audio.reading import load, read_header

SPEECH = sorted((Path(__file__).parents[2] / "shared" / "data" / "audio" / "speech").glob("*.flac"))


def test_measures_of_equality_and_unlike_files(tmp_path: Path) -> None:
    loud = make(tmp_path / "l.wav")
    assert Audio().measure(loud, loud) == {"psnr": math.inf, "snr": LIMIT, "si_sdr": LIMIT}
    for other in (tone(701), tone(700, 2)):
        with pytest.raises(SignalError, match=r"but .* has"):
            Audio().measure(loud, make(tmp_path / "o.wav", other))
    with pytest.raises(SignalError, match="8000 samples per second"):
        Audio().measure(loud, make(tmp_path / "o.wav", rate=8000))


SILENCE, CONSTANT = np.zeros((700, 1)), np.full((700, 1), 0.25)


@pytest.mark.parametrize(
    ("one", "two", "snr", "si_sdr"),
    [
        (SILENCE, SILENCE, LIMIT, LIMIT),
        (SILENCE, tone(), -LIMIT, -LIMIT),
        (tone(), SILENCE, 0.0, -LIMIT),  # the error is the sound itself
        (CONSTANT, CONSTANT, LIMIT, LIMIT),
        (CONSTANT, SILENCE, 0.0, -LIMIT),
        (SILENCE, CONSTANT, -LIMIT, -LIMIT),
        (CONSTANT, CONSTANT / 2, 20 * math.log10(2), LIMIT),  # a multiple of the original
        (CONSTANT, -CONSTANT, -20 * math.log10(2), LIMIT),
        # channels that are silent in both files do not count, those in only one do
        (np.hstack([CONSTANT, SILENCE]), np.hstack([CONSTANT, SILENCE]), LIMIT, LIMIT),
        (np.hstack([CONSTANT, SILENCE]), np.hstack([CONSTANT, CONSTANT]), 0.0, 0.0),
        (np.hstack([CONSTANT, CONSTANT]), np.hstack([SILENCE, CONSTANT]), 20 * math.log10(2) / 2,
         0.0),
    ],
)  # fmt: skip
def test_measures_of_silence_and_constants_are_finite(
    tmp_path: Path, one: NDArray[np.float64], two: NDArray[np.float64], snr: float, si_sdr: float
) -> None:
    first, second = make(tmp_path / "a.wav", one), make(tmp_path / "b.wav", two)
    measures = Audio().measure(first, second)
    assert measures["snr"] == pytest.approx(snr, abs=1e-9)
    assert measures["si_sdr"] == pytest.approx(si_sdr, abs=1e-9)
    error = ((one - two) ** 2).mean() / 4  # of samples in [0, 1]
    levels = 1 / (1 << 15)
    if error:
        assert measures["psnr"] == pytest.approx(-10 * math.log10(error), abs=20 * levels / error)
    else:
        assert measures["psnr"] == math.inf


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
        assert read_header(out) == read_header(path)
    assert sizes[0] < sizes[1] and quality[0] < quality[1] and quality[1] > 28
    with av.open(io.BytesIO(data)) as source:
        assert source.streams.audio[0].codec_context.name.startswith(codec.name.lower())
    one, two = load(path)[1][0], load(out)[1][0]
    assert float(one @ two / (one @ one)) == pytest.approx(1.0, abs=0.01)


def test_baselines_refuse_what_they_cannot(tmp_path: Path) -> None:
    mp3, opus = Audio().baselines()
    path = make(tmp_path / "a.wav", tone(9000, 6), 48000, "WAVEX")
    with pytest.raises(SignalError, match="6 channels, libmp3lame has 2"):
        mp3.encode(path, 64)
    opus.decode(opus.encode(path, 256), path, tmp_path / "b.wav")
    assert read_header(tmp_path / "b.wav") == read_header(path)


@pytest.mark.skipif(not SPEECH, reason="no speech at hand")
def test_real_speech(tmp_path: Path) -> None:
    modality, path, out = Audio(), SPEECH[0], tmp_path / "out.flac"
    signal = modality.split(modality.read(path))
    modality.write(modality.join(signal.features, signal.meta, View()), out)
    assert modality.measure(path, out)["psnr"] == math.inf
    assert out.stat().st_size < 1.2 * path.stat().st_size
