"""Tables that latent dimensions share: cells with similar statistics are pooled.

A cell is one dimension at one level of activity (`inrc.entropy.contexts`). There are thousands, too
many for a table each. K-means with the code length as the distance pools them into `MAX_TABLES`
tables, whose levels of activity also suit data unlike the training data.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.entropy.coder import Tables, tabulate
from inrc.entropy.contexts import MAX_SIZE, Contexts, activity, sizes

MAX_TABLES = 128
"""Maximum number of tables; 64 are as good for 512 latents."""
SHARES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.55, 0.7, 0.85)
"""Shares of the training rows below each threshold. They are dense at the lower end: other data
have many rows of low activity (equal shares of an eighth cost photographs 4 %)."""
NEIGHBOUR_SHARES = (0.2, 0.5, 0.8)
"""The same for the activity of the rows around."""
MIN_CORRELATION = 0.1
"""Minimum correlation for contexts from the rows around: 0.3 in speech, which saves 6 % of its
bits; 0.08 in photographs, 0.5 %; 0.001 for training rows in random order, a loss of 1 to 3 %."""
MIN_ROWS = 100
"""Minimum number of training rows of a level: a hundred signals have no contexts."""
PRIOR_SIGNALS = 8.0
"""Weight of the distribution of a dimension, in signals, when its cells are assigned."""
MAX_ITERATIONS = 30
"""Maximum number of iterations of k-means."""
NUM_EXACT = 16
"""Symbols up to this size have a bin each in k-means; larger ones are binned by half octaves."""
MAX_ENTRIES = 4096
"""Maximum number of entries of a table; other symbols are escaped."""
REACH_FACTOR = 3
"""Maximum extent of a table, relative to the largest of its training symbols: every thirtieth
signal exceeds the largest of sixteen."""
ESCAPE_SHARE = 2.0**-14
"""Share of symbols that are escaped, which takes 16 bits or more."""
_HALF = NUM_EXACT + 2 * (31 - NUM_EXACT.bit_length()) + 3
"""Number of bins to either side of the bin of 0."""


def pooled_tables(
    symbols: NDArray[np.integer[Any]], density: NDArray[np.float64], prior: float
) -> Tables:
    """Tables of training symbols N K and a density K 2L+1.

    The density is that of the symbols -L ... L of each dimension, L at least `MAX_SIZE`; it has the
    weight of `prior` signals.
    """
    n, k = symbols.shape
    own, others = activity(symbols)
    none = np.zeros((k, 0), np.int16)
    contexts = Contexts(_thresholds(own, _shares(n, SHARES)), beside=none, choice=none)
    cells = _cells(contexts, own, others)
    if _related(sizes(symbols), others, cells) >= MIN_CORRELATION:
        rows = n // (contexts.thresholds.shape[1] + 1)
        beside = _thresholds(others, _shares(rows, NEIGHBOUR_SHARES))
        contexts = Contexts(contexts.thresholds, beside, contexts.choice)
        cells = _cells(contexts, own, others)
    levels = contexts.levels
    share = np.bincount(cells.ravel(), minlength=k * levels).reshape(k, levels) / max(n, 1)
    share = np.maximum(share, 1e-3)  # other signals may use cells that no training signal uses
    label = _assign(symbols, cells, levels, density, prior)
    label = np.unique(label, return_inverse=True)[1]  # without unused tables
    label = label.reshape(k, levels)
    weights, offsets = _weigh(symbols, label.ravel()[cells], density, label, share, prior)
    tables = tabulate(weights, offsets)
    contexts = Contexts(contexts.thresholds, contexts.beside, label.astype(np.int16))
    return Tables(tables.counts, tables.lengths, tables.offsets, contexts)


def _shares(rows: int, shares: tuple[float, ...]) -> list[float]:
    """The shares that leave at least `MIN_ROWS` training rows to every level."""
    kept: list[float] = []
    for share in shares:
        below = share - (kept[-1] if kept else 0.0)
        if rows * min(below, 1.0 - share) >= MIN_ROWS:
            kept.append(share)
    return kept


def _thresholds(seen: NDArray[np.int16], shares: list[float]) -> NDArray[np.int16]:
    """Quantiles of the activities N K at these shares, K by their number."""
    if not shares:
        return np.zeros((seen.shape[1], 0), np.int16)
    return np.quantile(seen, shares, axis=0, method="lower").T.astype(np.int16)


def _cells(
    contexts: Contexts, own: NDArray[np.int16], others: NDArray[np.int16]
) -> NDArray[np.int64]:
    """Numbers of the symbols' cells, N K."""
    places = np.arange(own.shape[1])
    cells: NDArray[np.int64] = places * contexts.levels + contexts.level(own, others, places)
    return cells


def _related(size: NDArray[np.int16], others: NDArray[np.int16], cells: NDArray[np.int64]) -> float:
    """Correlation within cells of the symbols' sizes with the activity of the rows around."""
    cell, x, y = cells.ravel(), size.ravel().astype(float), others.ravel().astype(float)
    count = np.maximum(np.bincount(cell), 1)
    sums = np.bincount(cell, x), np.bincount(cell, y)
    both = float(x @ y - (sums[0] * sums[1] / count).sum())
    own = float(x @ x - (sums[0] ** 2 / count).sum())
    other = float(y @ y - (sums[1] ** 2 / count).sum())
    return both / max(own * other, 1e-12) ** 0.5


def _bins(symbols: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Bins of symbols, from 0: exact ones in the middle, half octaves to both sides."""
    size = np.abs(symbols)
    octaves = np.floor(2.0 * np.log2(np.maximum(size, NUM_EXACT) / NUM_EXACT)).astype(np.int64)
    bins = np.sign(symbols) * np.where(size > NUM_EXACT, NUM_EXACT + 1 + octaves, size)
    return np.clip(bins, -_HALF, _HALF).astype(np.int64) + _HALF


def _assign(
    symbols: NDArray[np.integer[Any]],
    cells: NDArray[np.integer[Any]],
    levels: int,
    density: NDArray[np.float64],
    prior: float,
) -> NDArray[np.integer[Any]]:
    """A table for each cell, by k-means with the bits of the cell's symbols as the distance.

    `cells` are the numbers of the symbols' cells, N K; the density is K S.
    """
    k, size = len(density), 2 * _HALF + 1
    reach = density.shape[1] // 2
    coarse = np.zeros((size, k))
    np.add.at(coarse, _bins(np.arange(-reach, reach + 1)), density.T)
    counts = np.bincount((cells * size + _bins(symbols)).ravel(), minlength=k * levels * size)
    counts = counts.reshape(k, levels, size).astype(np.float64)
    own = counts.sum(1) + prior * coarse.T
    own /= own.sum(1, keepdims=True)
    seen = (counts + PRIOR_SIGNALS * own[:, None]).reshape(k * levels, size)
    mean = np.log(seen @ np.abs(np.arange(size) - _HALF) / seen.sum(1) + 1e-3)  # 1e-3: next to 0
    spread = max(float(np.ptp(mean)), 1e-9)
    label = np.minimum(((mean - mean.min()) / spread * MAX_TABLES).astype(np.int64), MAX_TABLES - 1)
    for _ in range(MAX_ITERATIONS):
        total = np.full((MAX_TABLES, size), 1e-3)
        np.add.at(total, label, seen)
        bits = -np.log2(total / total.sum(1, keepdims=True))
        nearest = (seen @ bits.T).argmin(1)
        if np.array_equal(nearest, label):
            break
        label = nearest
    return label


def _weigh(
    symbols: NDArray[np.integer[Any]],
    tables: NDArray[np.integer[Any]],
    density: NDArray[np.float64],
    label: NDArray[np.integer[Any]],
    share: NDArray[np.float64],
    prior: float,
) -> tuple[list[NDArray[np.float64]], list[int]]:
    """Unnormalised probabilities and first symbols of all tables; the last entry is the escape.

    `tables` are the numbers of the symbols' tables, N K; `label` are those of the cells, `share` is
    the share of training rows of each cell, both K x levels.
    """
    count = int(label.max()) + 1
    mass = np.zeros((count, len(label)))
    for k, row in enumerate(label):
        np.add.at(mass[:, k], row, share[k])
    expected = prior * mass @ density
    middle = density.shape[1] // 2
    limit = min(middle, MAX_ENTRIES // 2 - 1)
    wide = 2 * limit + 1
    inside = np.clip(symbols, -limit, limit) + limit
    seen = np.bincount((tables * wide + inside).ravel(), minlength=count * wide)
    seen = seen.reshape(count, wide)
    whole = seen + expected[:, middle - limit : middle + limit + 1]
    size = np.abs(np.arange(wide) - limit)
    weights, offsets = [], []
    for t, row in enumerate(whole):
        total = float(row.sum())
        beyond = total - np.cumsum(np.bincount(size, row))  # by the size of the last one inside
        farthest = REACH_FACTOR * int(size[seen[t] > 0].max(initial=1))
        reach = min(int(np.argmax(beyond <= ESCAPE_SHARE * total)), farthest, limit)
        reach = max(reach, MAX_SIZE)
        kept = row[limit - reach : limit + reach + 1]
        outside = prior * mass[t].sum() - expected[t].sum() + total - kept.sum()
        weights.append(np.append(kept, max(outside, ESCAPE_SHARE * total)))
        offsets.append(-reach)
    return weights, offsets
