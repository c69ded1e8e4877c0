"""Small synthetic sounds with the structure of speech and of music."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc_modalities.audio import music, speech
from inrc_modalities.audio.formats import Header
from inrc_modalities.audio.writing import save

RATE = 16_000
"""Samples per second, as in LibriSpeech."""
SECONDS = 3.0
_VERSION = 1  # of the sounds: raise it when they change, so that old samples are made anew
_NOISE = 10.0 ** (-66 / 20)  # of a microphone in a quiet room, below full scale


def write(folder: Path, seed: int, count: int) -> list[Path]:
    """Write `count` files, or leave them if they are there already.

    Even ones are speech-like (FLAC), odd ones music-like (WAV), all of 16 bits. File i depends on
    the seed and on i only, so a larger sample begins with a smaller one.
    """
    stamp = folder / f"audio-{seed}.json"
    paths = [
        folder / f"audio-{seed}-{i:04d}-{'music.wav' if i % 2 else 'speech.flac'}"
        for i in range(count)
    ]
    wanted = {"version": _VERSION, "rate": RATE, "count": count}
    if _stamped(stamp, wanted) and all(path.is_file() for path in paths):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    for i, path in enumerate(paths):
        sound = make(np.random.default_rng((seed, i)), bool(i % 2))
        kind = "WAV" if path.suffix == ".wav" else "FLAC"
        save(Header(len(sound), 1, RATE, kind, "PCM_16"), [sound[:, None]], path)
    stamp.write_text(json.dumps(wanted))
    return paths


def make(rng: np.random.Generator, musical: bool) -> NDArray[np.float64]:
    """One sound of SECONDS at RATE, peak between -14 and -3 dB of full scale."""
    size = round(SECONDS * RATE)
    sound = music.play(rng, size, RATE) if musical else speech.speak(rng, size, RATE)
    sound *= 10.0 ** (rng.uniform(-14.0, -3.0) / 20) / max(np.abs(sound).max(), 1e-9)
    return sound + rng.normal(0.0, _NOISE, size)


def _stamped(stamp: Path, wanted: dict[str, int]) -> bool:
    try:
        return bool(json.loads(stamp.read_text()) == wanted)
    except (OSError, ValueError):
        return False
