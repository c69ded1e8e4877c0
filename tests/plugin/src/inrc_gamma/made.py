"""Made-up spectra of a scintillator: lines of four sources over what is scattered."""

import numpy as np

from inrc_gamma.spe import Spectrum

CHANNELS = 512
KEV = 4.0
"""Width of a channel."""

LINES = {"Cs-137": (661.7,), "Co-60": (1173.2, 1332.5), "K-40": (1460.8,), "Am-241": (59.5,)}
"""Energies in keV of the sources that most calibrations are done with."""


def spectrum(random: np.random.Generator) -> Spectrum:
    """Counts of one measurement, with Poisson noise."""
    energy = KEV * (np.arange(CHANNELS) + 0.5)
    expected = 40.0 * np.exp(-energy / 500.0)
    for lines in LINES.values():
        strength = random.uniform(0.0, 4000.0)
        for line in lines:
            # 7 % at 662 keV, and with the root of the energy: a NaI(Tl) crystal's
            sigma = 0.07 / 2.355 * np.sqrt(661.7 * line)
            expected += strength * KEV / sigma * np.exp(-0.5 * ((energy - line) / sigma) ** 2)
            edge = line / (1 + 511.0 / (2 * line))  # Compton's
            expected += 0.1 * strength * KEV / sigma / (1 + np.exp((energy - edge) / sigma))
    seconds = int(random.integers(300, 900))
    head = f"$SPEC_ID:\r\nmade up\r\n$MEAS_TIM:\r\n{seconds - 3} {seconds}\r\n"
    tail = f"$ENER_FIT:\r\n{KEV / 2:.6f} {KEV:.6f}\r\n"
    return Spectrum(random.poisson(expected), 0, head, tail, "\r\n")
