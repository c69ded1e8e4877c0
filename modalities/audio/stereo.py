"""Two channels as their sum and difference, where that is cheaper."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_RATIO = 0.9
"""Largest ratio of the product of the energies of middle and side to that of left and right at
which middle and side are used: half its logarithm is the gain in bits a sample."""
_BLOCK = 1 << 18
_HALF = math.sqrt(0.5)


def is_cheaper(samples: NDArray[np.floating[Any]]) -> bool:
    """Whether middle and side of samples 2 n are cheaper to code than left and right.

    At a high rate a channel of variance v costs log2(v) / 2 bits a sample (Jayant and Noll 1984,
    section 12), so the product of the two variances decides.
    """
    moments = np.zeros((2, 2))
    for at in range(0, samples.shape[1], _BLOCK):
        block = samples[:, at : at + _BLOCK].astype(np.float64)
        moments += block @ block.T
    left, right, both = moments[0, 0], moments[1, 1], moments[0, 1]
    middle, side = (left + right) / 2 + both, (left + right) / 2 - both
    return bool(middle * side < MAX_RATIO * left * right)


def rotate(samples: NDArray[np.floating[Any]]) -> None:
    """Samples 2 n: left and right to middle and side, or back, in place.

    A reflection is its own inverse, and keeps distances: an error of a feature is one of the sound.
    """
    for at in range(0, samples.shape[1], _BLOCK):
        part = slice(at, at + _BLOCK)
        left = samples[0, part].astype(np.float64)
        right = samples[1, part].astype(np.float64)
        samples[0, part] = (left + right) * _HALF
        samples[1, part] = (left - right) * _HALF
