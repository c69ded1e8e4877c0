"""Speech without words: glottal pulses and noise through formants, with pauses.

The source-filter model (Fant 1960): harmonics of a wandering pitch that fall by 12 dB an octave are
shaped by three moving resonances; fricatives are noise in a high band, plosives short bursts of it.
"""

import numpy as np
from numpy.typing import NDArray

VOWELS = np.array([
    [270, 2290, 3010], [390, 1990, 2550], [530, 1840, 2480], [660, 1720, 2410], [730, 1090, 2440],
    [570, 840, 2410], [440, 1020, 2240], [300, 870, 2240], [640, 1190, 2390], [490, 1350, 1690],
], np.float64)  # fmt: skip
"""Formants in Hz of ten American English vowels, men (Peterson and Barney 1952, table II)."""
HIGHER = np.array([3500.0, 4500.0, 5500.0, 6500.0, 7500.0])
"""Those above, of a tube 17 cm long, which vowels hardly move; without them there is no treble."""
WIDTHS = np.array([60.0, 90.0, 150.0, 200.0, 250.0, 300.0, 350.0, 400.0])
"""Bandwidths of all formants in Hz (the first three: Dunn 1961, rounded)."""
_HOP = 80  # samples between which pitch and formants are straight lines: 5 ms at 16 kHz


def speak(rng: np.random.Generator, size: int, rate: int) -> NDArray[np.float64]:
    """One voice, saying syllables; amplitude about 1."""
    sound = np.zeros(size)
    pitch = rng.uniform(90.0, 230.0)
    tract = 1.0 + 0.16 * (pitch > 160.0) + rng.normal(0.0, 0.03)  # a shorter one sounds higher
    vowel = VOWELS[rng.integers(len(VOWELS))]
    at = int(rng.uniform(0.0, 0.25) * rate)
    while at < size:
        following = VOWELS[rng.integers(len(VOWELS))]
        if rng.random() < 0.5:
            at += _add(sound, at, _hiss(rng, rate))
        length = round(rng.uniform(0.09, 0.28) * rate)
        syllable = _voice(rng, length, rate, pitch, vowel * tract, following * tract)
        at += _add(sound, at, syllable * rng.uniform(0.5, 1.0))
        vowel = following
        if rng.random() < 0.22:  # end of a phrase
            at += round(rng.uniform(0.12, 0.5) * rate)
            pitch *= float(np.exp(rng.normal(0.0, 0.08)))
    return sound


def _voice(
    rng: np.random.Generator,
    length: int,
    rate: int,
    pitch: float,
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
) -> NDArray[np.float64]:
    """A voiced syllable that glides from one vowel to another."""
    knots = np.linspace(0.0, 1.0, length // _HOP + 2)
    time = np.linspace(0.0, 1.0, length)
    slide = 1.0 / (1.0 + np.exp(-12.0 * (knots - rng.uniform(0.3, 0.7))))
    formants = begin + (end - begin) * slide[:, None]
    bend = 1.0 + rng.normal(0.0, 0.08) * (knots - 0.5) + rng.normal(0.0, 0.004, len(knots))
    frequency = np.interp(time, knots, pitch * bend)
    phase = 2.0 * np.pi * np.cumsum(frequency) / rate + rng.uniform(0.0, 2.0 * np.pi)
    sound = np.zeros(length)
    for harmonic in range(1, int(0.46 * rate / frequency.max()) + 1):
        response = _tract(harmonic * pitch * bend, formants) / harmonic**1.2
        # the pulse's own 12 dB an octave, less 6 that the lips give back
        real = np.interp(time, knots, response.real)
        imaginary = np.interp(time, knots, response.imag)
        sound += real * np.cos(harmonic * phase) - imaginary * np.sin(harmonic * phase)
    rise = np.minimum(1.0, time * length / (0.02 * rate))
    fall = np.minimum(1.0, (1.0 - time) * length / (0.04 * rate))
    return sound / max(np.abs(sound).max(), 1e-9) * rise * fall


def _tract(frequency: NDArray[np.float64], formants: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Response of all resonances in a row, 1 at 0 Hz."""
    formants = np.concatenate([formants, np.broadcast_to(HIGHER, (len(formants), 5))], 1)
    poles = -np.pi * WIDTHS + 2j * np.pi * formants
    s = 2j * np.pi * frequency[:, None]
    pairs = np.abs(poles) ** 2 / ((s - poles) * (s - poles.conj()))
    return np.asarray(pairs.prod(1), np.complex128)


def _hiss(rng: np.random.Generator, rate: int) -> NDArray[np.float64]:
    """A fricative, or a plosive: noise around 2 to 6 kHz that swells or bursts."""
    burst = rng.random() < 0.4
    length = round((0.03 if burst else rng.uniform(0.06, 0.16)) * rate)
    centre, width = rng.uniform(2000.0, 6000.0), rng.uniform(600.0, 1800.0)
    frequency = np.fft.rfftfreq(length, 1.0 / rate)
    shape = np.exp(-(((frequency - centre) / width) ** 2))
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=length)) * shape, length)
    time = np.linspace(0.0, 1.0, length)
    envelope = np.exp(-5.0 * time) if burst else np.sin(np.pi * time) ** 2
    return 0.25 * rng.uniform(0.3, 1.0) * envelope * noise / max(np.abs(noise).max(), 1e-9)


def _add(sound: NDArray[np.float64], at: int, part: NDArray[np.float64]) -> int:
    """Mix a part in where it fits; how far it reaches."""
    part = part[: max(0, len(sound) - at)]
    sound[at : at + len(part)] += part
    return max(len(part), 1)
