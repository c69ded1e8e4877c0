"""The linear rival: principal components, one step, integer tables, one range-coded stream.

What a neural codec has to beat: the basis is the best one for its training data and free, as the
model of a neural codec is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from inrc.entropy.coder import Tables, decode, encode, tabulate
from inrc.errors import SignalError

Rows = NDArray[np.float32]

MARGIN = 4
"""Symbols beyond the training range that a histogram still knows; farther ones are escaped."""
LONGEST = 1 << 13
"""Symbols of a table: its probabilities are multiples of 2^-16 and should not all be 1."""


@dataclass(frozen=True)
class Components:
    """Mean and orthonormal components of training rows, largest variance first."""

    mean: Rows  # D
    basis: Rows  # K D
    training: NDArray[np.float64]  # N K, coefficients of the training rows

    def project(self, rows: Rows) -> NDArray[np.float64]:
        """Coefficients N K."""
        return ((rows - self.mean) @ self.basis.T).astype(np.float64)

    def expand(self, coefficients: NDArray[np.float64]) -> Rows:
        """Rows N D."""
        return self.mean + coefficients.astype(np.float32) @ self.basis[: coefficients.shape[1]]


def components(rows: Rows, most: int) -> Components:
    """Principal components of rows N D; at most N - 1 of them, and `most`.

    Raises:
        SignalError: fewer than two rows.
    """
    if len(rows) < 2:
        raise SignalError(f"components: {len(rows)} training rows; at least 2 are needed")
    mean = rows.mean(0, dtype=np.float64).astype(np.float32)
    centred = rows - mean
    most = min(most, len(rows) - 1, rows.shape[1])
    if len(rows) <= rows.shape[1]:  # the smaller of the two Gram matrices
        variance, left = np.linalg.eigh(centred.astype(np.float64) @ centred.T)
        keep = np.argsort(variance)[::-1][:most]
        basis = (left[:, keep] / np.sqrt(np.maximum(variance[keep], 1e-300))).T @ centred
    else:
        variance, right = np.linalg.eigh((centred.T @ centred).astype(np.float64))
        basis = right[:, np.argsort(variance)[::-1][:most]].T
    basis = np.ascontiguousarray(basis, np.float32)
    return Components(mean, basis, (centred @ basis.T).astype(np.float64))


def histograms(symbols: NDArray[np.int32]) -> Tables:
    """For each column the counts of the training symbols N K plus one, and an escape."""
    weights, offsets = [], []
    for column in symbols.T:
        low, high = _ends(column)
        inside = column[(column >= low) & (column <= high)]
        counts = np.bincount(inside - low, minlength=high - low + 1) + 1.0
        weights.append(np.append(counts, 1.0))
        offsets.append(low)
    return tabulate(weights, offsets)


def gaussians(symbols: NDArray[np.int32]) -> Tables:
    """For each column a normal distribution of the training symbols' mean and spread.

    Better than histograms where training rows are few beside the symbols.
    """
    weights, offsets = [], []
    for column in symbols.T:
        centre, spread = column.mean(), np.sqrt(column.var(ddof=1) + 1 / 12)
        reach = int(min(np.ceil(6 * spread) + MARGIN, LONGEST // 2))
        low = int(np.rint(centre)) - reach
        edges = np.arange(low, low + 2 * reach + 2) - 0.5
        weights.append(np.append(np.diff(ndtr((edges - centre) / spread)), 1e-4))
        offsets.append(low)
    return tabulate(weights, offsets)


TABLES = {"histogram": histograms, "gaussian": gaussians}


@dataclass(frozen=True)
class Coded:
    """Test rows after quantisation, and the bytes of their one stream."""

    components: int
    step: float
    tables: str
    bytes: int
    rows: Rows


def code(found: Components, test: Rows, many: int, step: float, tables: str) -> Coded:
    """Quantise `many` coefficients with one step, code them for real, decode and expand them.

    Raises:
        SignalError: a step so small that a symbol does not fit 31 bits.
    """
    coefficients = found.project(test)[:, :many]
    if max(np.abs(coefficients).max(), np.abs(found.training).max()) / step >= 2**31 - 1:
        raise SignalError(f"linear: the step {step:g} is too small for these coefficients")
    frozen = TABLES[tables](np.rint(found.training[:, :many] / step).astype(np.int32))
    symbols = np.rint(coefficients / step).astype(np.int32)
    stream = encode(symbols, frozen)
    decoded = decode(stream, symbols.shape[0], symbols.shape[1], frozen)
    if not np.array_equal(decoded, symbols):
        raise SignalError("linear: the stream does not decode to what was encoded")
    return Coded(many, step, tables, len(stream), found.expand(decoded * step))


def sweep(
    found: Components,
    test: Rows,
    many: Sequence[int],
    steps: Sequence[float],
    tables: Sequence[str] = ("histogram",),
) -> Iterator[Coded]:
    """All combinations; numbers of components that the training rows do not give are left out."""
    for k in many:
        if k <= len(found.basis):
            for step in steps:
                for table in tables:
                    yield code(found, test, k, step, table)


def _ends(column: NDArray[np.int32]) -> tuple[int, int]:
    """Lowest and highest symbol of a table: what occurs, a margin, and not too many."""
    low, high = int(column.min()) - MARGIN, int(column.max()) + MARGIN
    if high - low >= LONGEST:
        low = int(np.median(column)) - LONGEST // 2
        high = low + LONGEST - 1
    return low, high
