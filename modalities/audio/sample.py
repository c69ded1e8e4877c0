"""Small synthetic sounds with the structure of speech and of music."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc.files import write_samples
from inrc_modalities.audio import music, speech
from inrc_modalities.audio.formats import Header
from inrc_modalities.audio.writing import save

RATE = 16_000
"""Samples per second, as in LibriSpeech."""
SECONDS = 3.0
_VERSION = 1  # of the sounds: raise it when they change, so that old samples are made anew
_NOISE = 10.0 ** (-66 / 20)  # of a microphone in a quiet room, below full scale


def write(folder: Path, seed: int, count: int) -> list[Path]:
    """Write `count` files of 16 bits, even ones speech-like (FLAC), odd ones music-like (WAV).

    File i depends on the seed and on i only.
    """
    paths = [
        folder / f"audio-{seed}-{i:04d}-{'music.wav' if i % 2 else 'speech.flac'}"
        for i in range(count)
    ]

    def write_one(i: int, path: Path) -> None:
        sound = make(np.random.default_rng((seed, i)), bool(i % 2))
        kind = "WAV" if path.suffix == ".wav" else "FLAC"
        save(Header(len(sound), 1, RATE, kind, "PCM_16"), [sound[:, None]], path)

    settings = {"version": _VERSION, "rate": RATE}
    return write_samples(folder / f"audio-{seed}.json", paths, settings, write_one)


def make(rng: np.random.Generator, musical: bool) -> NDArray[np.float64]:
    """One sound of SECONDS at RATE, peak between -14 and -3 dB of full scale."""
    size = round(SECONDS * RATE)
    sound = music.play(rng, size, RATE) if musical else speech.speak(rng, size, RATE)
    sound *= 10.0 ** (rng.uniform(-14.0, -3.0) / 20) / max(np.abs(sound).max(), 1e-9)
    return sound + rng.normal(0.0, _NOISE, size)
