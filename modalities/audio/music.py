"""Music without a tune: plucked and blown notes, chords and a beat in one key."""

import numpy as np
from numpy.typing import NDArray

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
"""Semitones of the major and the natural minor scale."""
CONCERT_PITCH = 440.0
_STIFF = 4e-4  # inharmonicity of a piano's middle strings (Fletcher and Rossing 1998, section 12.3)


def play(rng: np.random.Generator, size: int, rate: int) -> NDArray[np.float64]:
    """One instrument with chords under it and, at times, a drum; amplitude about 1."""
    sound = np.zeros(size)
    scale = SCALES[int(rng.integers(2))]
    key = int(rng.integers(-21, -9))  # semitones from concert pitch
    beat = round(rate * 60.0 / rng.uniform(70.0, 140.0))
    plucked, brightness = bool(rng.random() < 0.6), float(rng.uniform(0.6, 2.0))
    step = int(rng.integers(7))
    drums = rng.random() < 0.4
    for number, at in enumerate(range(0, size, beat // 2)):
        if rng.random() < 0.75:
            step = int(np.clip(step + rng.integers(-2, 3), 0, 14))
            length = round(beat * float(rng.choice([0.5, 1.0, 1.5])))
            note = _note(rng, _pitch(key + 12, scale, step), length, rate, plucked, brightness)
            _add(sound, at, note * rng.uniform(0.5, 1.0))
        if number % 8 == 0:
            root = int(rng.integers(7))
            for third in (0, 2, 4):
                tone = _pitch(key, scale, root + third)
                _add(sound, at, 0.4 * _note(rng, tone, 4 * beat, rate, True, 1.6))
        if drums and number % 2 == 0:
            _add(sound, at, 0.5 * _drum(rng, rate, high=number % 4 == 2))
    return sound


def _pitch(key: int, scale: tuple[int, ...], step: int) -> float:
    """Hz of a step of a scale, in equal temperament."""
    octave, degree = divmod(step, len(scale))
    return float(CONCERT_PITCH * 2.0 ** ((key + 12 * octave + scale[degree]) / 12.0))


def _note(
    rng: np.random.Generator, pitch: float, length: int, rate: int, plucked: bool, brightness: float
) -> NDArray[np.float64]:
    """Partials with an envelope: high ones are weaker, and if plucked fade sooner."""
    time = np.arange(length) / rate
    vibrato = 0.0 if plucked else 0.0012 * np.sin(2.0 * np.pi * 5.5 * time) / 5.5
    sound = np.zeros(length)
    for partial in range(1, 41):
        frequency = pitch * partial * (np.sqrt(1.0 + _STIFF * partial**2) if plucked else 1.0)
        if frequency > 0.46 * rate:
            break
        strength = partial**-brightness * rng.uniform(0.4, 1.0)
        fade = np.exp(-time * (1.5 + 0.7 * partial)) if plucked else 1.0
        phase = 2.0 * np.pi * (frequency * (time + vibrato) + rng.random())
        sound += strength * fade * np.sin(phase)
    attack = 0.004 if plucked else 0.05
    rise = np.minimum(1.0, time / attack)
    fall = np.minimum(1.0, time[::-1] / 0.03)
    return sound * rise * fall / max(np.abs(sound).max(), 1e-9)


def _drum(rng: np.random.Generator, rate: int, high: bool) -> NDArray[np.float64]:
    """A falling thump, or a burst of noise."""
    length = round(0.15 * rate)
    time = np.arange(length) / rate
    if high:
        return np.asarray(rng.normal(0.0, 0.3, length) * np.exp(-30.0 * time))
    phase = 2.0 * np.pi * (50.0 * time - 8.0 * np.exp(-12.0 * time))
    return np.asarray(np.sin(phase) * np.exp(-18.0 * time))


def _add(sound: NDArray[np.float64], at: int, part: NDArray[np.float64]) -> None:
    """Mix a part in where it fits."""
    part = part[: len(sound) - at]
    sound[at : at + len(part)] += part
