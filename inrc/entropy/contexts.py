"""Which table codes a symbol: chosen by how large those are that a decoder has by then.

A row is one part of a signal: a block that is rough in its first latents is rough in the later
ones, a flat one stays flat, and the part before and the part after are often alike. Sums of small
integers tell one from the other, the same everywhere.
"""

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOWS = (16, 64)
"""Symbols before one that its activity looks back at; the nearer ones count twice.

Photographs in blocks of 32 x 32 with the codec of CIFAR-10: 16.1 % fewer bits with the nearer
window alone, 18.0 with the farther one, 18.8 with both."""
CAP = 7
"""A symbol counts with its size, but no more than this; 15 loses 1 % of the bits of photographs."""
HELD = 1 << 22
"""Symbols whose activity is looked at at once: a long recording has millions."""


def sizes(symbols: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
    """What symbols count for: their size up to `CAP`."""
    return np.abs(np.clip(symbols, -CAP, CAP)).astype(np.int16)


def around(near: NDArray[np.int16]) -> NDArray[np.int16]:
    """Sums of the rows (first axis) before and after each; the first and last stand in for none."""
    return np.concatenate([near[:1], near[:-1]]) + np.concatenate([near[1:], near[-1:]])


def activity(
    symbols: NDArray[np.integer[Any]],
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """What the symbols before each one count for, P K: of its own row P, and of the rows around.

    Its own row counts with both windows, the others with the nearer one.
    """
    total = np.zeros((len(symbols), symbols.shape[1] + 1), np.int32)
    np.cumsum(sizes(symbols), 1, out=total[:, 1:])
    sums = []
    for window in WINDOWS:
        found = total[:, :-1].copy()
        found[:, window:] -= total[:, : -1 - window]
        sums.append(found.astype(np.int16))
    return sums[0] + sums[1], around(sums[0])


def _levels(thresholds: NDArray[np.integer[Any]], window: int) -> NDArray[np.int16]:
    """How many thresholds (K E) every activity of a window exceeds, K x activities."""
    activities = np.arange(CAP * window + 1)
    exceeded = activities[:, None] > thresholds[:, None, :]
    found: NDArray[np.int16] = exceeded.sum(2).astype(np.int16)
    return found


@dataclass(frozen=True)
class Contexts:
    """A table for every latent dimension, level of activity, and level of the rows around.

    A level is the number of the dimension's thresholds that are exceeded: E of its own row's
    activity, F of that of the rows around, which changes fastest in `choice`.
    """

    thresholds: NDArray[np.integer[Any]]  # K E
    beside: NDArray[np.integer[Any]]  # K F
    choice: NDArray[np.integer[Any]]  # K (E+1)(F+1)

    @property
    def levels(self) -> int:
        """How many a dimension has: (E+1)(F+1)."""
        return (self.thresholds.shape[1] + 1) * (self.beside.shape[1] + 1)

    @cached_property
    def _own(self) -> NDArray[np.int16]:
        """What every activity of its own row adds to the level, K x activities."""
        return _levels(self.thresholds, sum(WINDOWS)) * np.int16(self.beside.shape[1] + 1)

    @cached_property
    def _others(self) -> NDArray[np.int16]:
        """The same of the rows around."""
        return _levels(self.beside, 2 * WINDOWS[0])

    def level(
        self, own: NDArray[np.int16], others: NDArray[np.int16], k: NDArray[np.int64] | int
    ) -> NDArray[np.int16]:
        """Number of the level in `choice`, of activities of these dimensions (last axis) or one."""
        found: NDArray[np.int16] = self._own[k, own]
        return found + self._others[k, others] if self.beside.shape[1] else found

    def tables(self, symbols: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
        """Number of the table of every symbol, P K."""
        rows, columns = symbols.shape
        found, places = np.zeros((rows, columns), np.int16), np.arange(columns)
        choice, size = self.choice.astype(np.int16), max(1, HELD // max(columns, 1))
        for start in range(0, rows, size):
            stop = min(start + size, rows)
            before, after = max(start - 1, 0), min(stop + 1, rows)  # with the rows around
            inside = slice(start - before, stop - before)
            own, others = activity(symbols[before:after])
            found[start:stop] = choice[places, self.level(own[inside], others[inside], places)]
        return found


@dataclass
class Trail:
    """The rows of a stream while they are decoded, one latent dimension after the other."""

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
        found: NDArray[np.int16] = self.contexts.choice[k].astype(np.int16)[level]
        return found

    def append(self, size: NDArray[np.int16]) -> None:
        """What the symbols of a dimension count for, `CAP` for one that is escaped."""
        for window, total in zip(WINDOWS, self._sums, strict=True):
            total += size
            if self._done >= window:
                total -= self._past[-window]
        self._past.append(size)
        self._done += 1
