"""The table that codes a symbol is chosen by the sizes of symbols that are decoded before it.

A row is one part of a signal: a block with large first latents has large later ones, and parts next
to each other are alike. Sums of small integers measure this, equally on every machine.
"""

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOWS = (16, 64)
"""Numbers of preceding symbols whose sizes make up the activity; the nearer ones count twice.

Photographs in blocks of 32 x 32 with the codec of CIFAR-10: 16.1 % fewer bits with the nearer
window alone, 18.0 with the farther one, 18.8 with both."""
MAX_SIZE = 7
"""Largest size that a symbol counts with; 15 loses 1 % of the bits of photographs."""
MAX_SYMBOLS = 1 << 22
"""Symbols whose activity is computed at once: a long recording has millions."""


def sizes(symbols: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
    """Sizes of symbols, at most `MAX_SIZE`."""
    return np.abs(np.clip(symbols, -MAX_SIZE, MAX_SIZE)).astype(np.int16)


def around(near: NDArray[np.int16]) -> NDArray[np.int16]:
    """Sums of the rows (first axis) before and after each; the first and the last are repeated."""
    return np.concatenate([near[:1], near[:-1]]) + np.concatenate([near[1:], near[-1:]])


def activity(
    symbols: NDArray[np.integer[Any]],
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Sums of the sizes of preceding symbols, P K: in the own row, and in the rows around.

    The own row counts with both windows, the others with the nearer one.
    """
    total = np.zeros((len(symbols), symbols.shape[1] + 1), np.int32)
    np.cumsum(sizes(symbols), 1, out=total[:, 1:])
    sums = []
    for window in WINDOWS:
        window_sum = total[:, :-1].copy()
        window_sum[:, window:] -= total[:, : -1 - window]
        sums.append(window_sum.astype(np.int16))
    return sums[0] + sums[1], around(sums[0])


def _levels(thresholds: NDArray[np.integer[Any]], window: int) -> NDArray[np.int16]:
    """Number of thresholds (K E) that every activity of a window exceeds, K x activities."""
    activities = np.arange(MAX_SIZE * window + 1)
    exceeded = activities[:, None] > thresholds[:, None, :]
    levels: NDArray[np.int16] = exceeded.sum(2).astype(np.int16)
    return levels


@dataclass(frozen=True)
class Contexts:
    """A table for every latent dimension and level of activity of its own row and the rows around.

    A level is the number of the dimension's thresholds that are exceeded: E for the own row, F for
    the rows around, which changes fastest in `choice`.
    """

    thresholds: NDArray[np.integer[Any]]  # K E
    beside: NDArray[np.integer[Any]]  # K F
    choice: NDArray[np.integer[Any]]  # K (E+1)(F+1)

    @property
    def levels(self) -> int:
        """Number of levels of a dimension: (E+1)(F+1)."""
        return (self.thresholds.shape[1] + 1) * (self.beside.shape[1] + 1)

    @cached_property
    def _own(self) -> NDArray[np.int16]:
        """Contribution of every activity of the own row to the level, K x activities."""
        return _levels(self.thresholds, sum(WINDOWS)) * np.int16(self.beside.shape[1] + 1)

    @cached_property
    def _others(self) -> NDArray[np.int16]:
        """Contribution of the rows around."""
        return _levels(self.beside, 2 * WINDOWS[0])

    def level(
        self, own: NDArray[np.int16], others: NDArray[np.int16], k: NDArray[np.int64] | int
    ) -> NDArray[np.int16]:
        """Index of the level in `choice`, for activities of dimensions `k` (last axis)."""
        level: NDArray[np.int16] = self._own[k, own]
        return level + self._others[k, others] if self.beside.shape[1] else level

    def tables(self, symbols: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
        """Number of the table of every symbol, P K."""
        rows, columns = symbols.shape
        numbers, places = np.zeros((rows, columns), np.int16), np.arange(columns)
        choice, size = self.choice.astype(np.int16), max(1, MAX_SYMBOLS // max(columns, 1))
        for start in range(0, rows, size):
            stop = min(start + size, rows)
            before, after = max(start - 1, 0), min(stop + 1, rows)  # with the rows around
            inside = slice(start - before, stop - before)
            own, others = activity(symbols[before:after])
            numbers[start:stop] = choice[places, self.level(own[inside], others[inside], places)]
        return numbers


@dataclass
class Trail:
    """Activities of the rows of a stream while it is decoded, dimension by dimension."""

    contexts: Contexts
    rows: int
    _done: int = 0
    _past: deque[NDArray[np.int16]] = field(default_factory=lambda: deque(maxlen=max(WINDOWS)))
    _sums: list[NDArray[np.int16]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sums = [np.zeros(self.rows, np.int16) for _ in WINDOWS]

    def tables(self) -> NDArray[np.int16]:
        """Number of every row's table for the next dimension, P."""
        k, (near, far) = self._done, self._sums
        level = self.contexts.level(near + far, around(near), k)
        numbers: NDArray[np.int16] = self.contexts.choice[k].astype(np.int16)[level]
        return numbers

    def append(self, size: NDArray[np.int16]) -> None:
        """Add the sizes of the symbols of a dimension, `MAX_SIZE` for escaped ones."""
        for window, total in zip(WINDOWS, self._sums, strict=True):
            total += size
            if self._done >= window:
                total -= self._past[-window]
        self._past.append(size)
        self._done += 1
