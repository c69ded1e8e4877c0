"""Sound: files to signals and back, views, quality."""

from pathlib import Path

import numpy as np

from inrc.testing import check_modality
from inrc_modalities.audio import Audio
from inrc_modalities.audio.formats import Header
from inrc_modalities.audio.writing import save

RNG = np.random.default_rng(3)


def tone(frames: int = 700, channels: int = 1, peak: float = 0.8) -> np.ndarray:
    """A different mixture of sines in every channel, frames by channels."""
    t = np.arange(frames)[:, None] / 16000
    c = np.arange(channels)[None] + 1
    sound = np.sin(2 * np.pi * 220 * c * t) + 0.5 * np.sin(2 * np.pi * 1330 * t + c)
    return peak * sound / np.abs(sound).max()


def test_the_law(tmp_path: Path) -> None:
    kinds = [
        ("a.wav", 1, 16000, "WAV", "PCM_16"), ("b.wav", 2, 44100, "WAV", "PCM_24"),
        ("c.wav", 6, 48000, "WAVEX", "FLOAT"), ("d.flac", 8, 96000, "FLAC", "PCM_24"),
        ("e.wav", 1, 8000, "WAV", "PCM_U8"), ("f.wav", 2, 11025, "RF64", "DOUBLE"),
        ("g.wav", 1, 8000, "WAV", "ULAW"),
    ]  # fmt: skip
    paths = []
    for name, channels, rate, form, subtype in kinds:
        paths.append(tmp_path / name)
        sound = tone(1000 + channels, channels)
        save(Header(len(sound), channels, rate, form, subtype), [sound], paths[-1])
    (tmp_path / "law").mkdir()
    check_modality(Audio(patch=64), paths, tmp_path / "law")
