"""Probability tables that need no model: symmetric shapes in many widths, by integers alone.

Every table is made of powers 2^-x of fixed-point numbers: products of roots 2^-(2^-j), which are
integer square roots, equal on every machine. There are `SHAPES` x `WIDTHS` tables.

A width w has c = 2^(4 - w/2), and a shape of exponent p gives the symbol k the weight 2^-(c^(p/2)
|k|^p): p = 1 is Laplace's distribution, 2 Gauss's, 4 is nearly flat. Beyond `NUM_WIDTHS` widths the
low bits of a symbol are as good as random: they are coded without a table, and the rest of the
symbol by a table of one of the last four widths.
"""

from functools import cache, cached_property
from math import isqrt, log2

import numpy as np
from numpy.typing import NDArray

from inrc.entropy.coder import TOTAL, Tables

EXPONENTS = (1, 2, 4)
SHAPES = len(EXPONENTS)
WIDTHS = 80
NUM_WIDTHS = 28
"""Widths with tables of their own; a Gaussian of the last of them has a deviation of 23."""
_BITS = 64
_ONE = 1 << _BITS
_POINT = 32
"""Binary places of an exponent."""
_MIN_WEIGHT = 1 << (_BITS - 14)
"""Smallest weight of a symbol, 2^-14 of the peak's; symbols below it are escaped."""


@cache
def _roots() -> tuple[int, ...]:
    """2^-(2^-j) for j = 1 ... 32, times 2^64, rounded down."""
    root, roots = _ONE // 2, []
    for _ in range(_POINT):
        root = isqrt(root << _BITS)
        roots.append(root)
    return tuple(roots)


def power(x: int) -> int:
    """2^-(x / 2^32) times 2^64, by integers; x >= 0."""
    whole, part = x >> _POINT, x & ((1 << _POINT) - 1)
    value = _ONE
    for place, root in enumerate(_roots()):
        if part >> (_POINT - 1 - place) & 1:
            value = value * root >> _BITS
    return value >> whole


def _factor(width: int, exponent: int) -> int:
    """c^(p/2) times 2^32, for c = 2^(4 - w/2)."""
    quarters = 4 * _POINT + (16 - 2 * width) * exponent // 2  # of the base-2 logarithm
    whole, quarter = divmod(quarters, 4)
    root = isqrt(isqrt(2**quarter << 8 * _POINT))  # 2^(quarter / 4), with 64 binary places
    return root << whole >> 2 * _POINT if whole >= 0 else root >> (2 * _POINT - whole)


def counts(shape: int, width: int) -> list[int]:
    """One table: symbols -r ... r and the escape; positive, of sum 2^16."""
    exponent = EXPONENTS[shape]
    factor = _factor(width, exponent)
    half = [_ONE]
    while (weight := power(factor * len(half) ** exponent)) >= _MIN_WEIGHT:
        half.append(weight)
    weights = [*half[:0:-1], *half]
    total, free = sum(weights), TOTAL - len(weights) - 1
    table = [1 + weight * free // total for weight in weights]
    table[len(half) - 1] += TOTAL - 1 - sum(table)
    return [*table, 1]


class Family:
    """All tables, and the pieces of a symbol. Table t has the shape t // FINE, the width t % FINE.

    A kind, 0 <= kind < SHAPES * WIDTHS, has the shape kind // WIDTHS and the width kind % WIDTHS.
    """

    kinds = SHAPES * WIDTHS

    @cached_property
    def tables(self) -> Tables:
        """All tables, computed at the first use."""
        rows = [counts(shape, width) for shape in range(SHAPES) for width in range(NUM_WIDTHS)]
        lengths = np.array([len(row) for row in rows], np.int32)
        padded = np.zeros((len(rows), int(lengths.max())), np.int32)
        for row, table in zip(padded, rows, strict=True):
            row[: len(table)] = table
        return Tables(padded, lengths, -(lengths // 2 - 1))

    def resolve(self, kind: int) -> tuple[int, int]:
        """Table of a kind, and the number of low bits coded beside it."""
        shape, width = divmod(kind, WIDTHS)
        low = max(0, (width - NUM_WIDTHS + 4) // 4)
        return shape * NUM_WIDTHS + width - 4 * low, low

    def near(self, deviation: float) -> list[int]:
        """The kinds with about this standard deviation."""
        # of a Gaussian of width w: sqrt(log2(e) / 2 c), that is 0.2124 2^(w/4)
        best = round(4.0 * log2(max(deviation, 1e-3) / 0.2124))
        first = min(max(best - 3, 0), WIDTHS - 8)
        return [s * WIDTHS + w for s in range(SHAPES) for w in range(first, first + 8)]


def halves(symbols: NDArray[np.int64], low: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The high part of symbols, rounded, and their `low` low bits."""
    shifted = symbols + (1 << low >> 1)
    return shifted >> low, shifted & ((1 << low) - 1)


def whole(high: NDArray[np.int64], rest: NDArray[np.int64], low: int) -> NDArray[np.int64]:
    """Symbols of their `halves`."""
    return (high << low) + rest - (1 << low >> 1)
