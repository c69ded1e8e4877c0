"""What tests of sound share."""

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from inrc_modalities.audio.formats import Header
from inrc_modalities.audio.writing import save

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


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
