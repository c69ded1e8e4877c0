"""Tables that latent dimensions share: cells that code alike are pooled.

A cell is one dimension at one level of activity (`inrc.entropy.contexts`). There are thousands, too
many to count symbols for each. Pooled by k-means, with code length for the distance, they end in
`TABLES` tables with plenty of counts each, and a photograph of a kind that was not trained on finds
its own among them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.entropy.coder import Tables, tabulate
from inrc.entropy.contexts import CAP, Contexts, activity, sizes

TABLES = 128
"""At most; 64 are as good for 512 latents."""
SHARES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.55, 0.7, 0.85)
"""Training rows below each threshold. Fine at the lower end: what is flatter than nearly all of
the training rows is common elsewhere (equal shares of an eighth cost photographs 4 %)."""
BESIDE = (0.2, 0.5, 0.8)
"""The same for the rows around."""
RELATED = 0.1
"""Correlation from which on rows are told by those around: 0.3 in speech, which saves 6 % of its
bits; 0.08 in photographs, 0.5 %; 0.001 where training rows come in no order, a loss of 1 to 3 %."""
ENOUGH = 100
"""Training rows that a level needs: a hundred signals have no contexts."""
DOUBT = 8.0
"""Signals that a dimension's own distribution counts for when its cells are assigned."""
ROUNDS = 30
"""Of k-means; it ends sooner where nothing moves."""
EXACT = 16
"""Symbols that assignment tells apart; larger ones are binned by half octaves."""
LONGEST = 4096
"""Entries of a table at most; rarer symbols are escaped."""
MARGIN = 3
"""A table reaches so many times as far as its training symbols, at most: the largest of sixteen
is passed by every thirtieth signal."""
RARE = 2.0**-14
"""Share of symbols that are left to the escape, which takes 16 bits and more."""
_HALF = EXACT + 2 * (31 - EXACT.bit_length()) + 3
"""Bins to either side of that of 0."""


def pooled(symbols: NDArray[np.integer[Any]], density: NDArray[np.float64], prior: float) -> Tables:
    """Tables of training symbols N K, and of a density per dimension (K) for -L ... L, L >= CAP.

    The density counts as much as `prior` signals.
    """
    n, k = symbols.shape
    own, others = activity(symbols)
    none = np.zeros((k, 0), np.int16)
    contexts = Contexts(_thresholds(own, _shares(n, SHARES)), beside=none, choice=none)
    cells = _cells(contexts, own, others)
    if _related(sizes(symbols), others, cells) >= RELATED:
        beside = _thresholds(others, _shares(n // (contexts.thresholds.shape[1] + 1), BESIDE))
        contexts = Contexts(contexts.thresholds, beside, contexts.choice)
        cells = _cells(contexts, own, others)
    levels = contexts.levels
    share = np.bincount(cells.ravel(), minlength=k * levels).reshape(k, levels) / max(n, 1)
    share = np.maximum(share, 1e-3)  # what no training signal came by may come yet
    label = _assign(symbols, cells, levels, density, prior)
    label = np.unique(label, return_inverse=True)[1]  # without tables that no cell has
    label = label.reshape(k, levels)
    weights, offsets = _weigh(symbols, label.ravel()[cells], density, label, share, prior)
    tables = tabulate(weights, offsets)
    contexts = Contexts(contexts.thresholds, contexts.beside, label.astype(np.int16))
    return Tables(tables.counts, tables.lengths, tables.offsets, contexts)


def _shares(rows: int, shares: tuple[float, ...]) -> list[float]:
    """Those of some shares that leave enough training rows to every level."""
    found: list[float] = []
    for share in shares:
        below = share - (found[-1] if found else 0.0)
        if rows * min(below, 1.0 - share) >= ENOUGH:
            found.append(share)
    return found


def _thresholds(seen: NDArray[np.int16], shares: list[float]) -> NDArray[np.int16]:
    """What these shares of the activities N K do not exceed, K by their number."""
    if not shares:
        return np.zeros((seen.shape[1], 0), np.int16)
    return np.quantile(seen, shares, axis=0, method="lower").T.astype(np.int16)


def _cells(
    contexts: Contexts, own: NDArray[np.int16], others: NDArray[np.int16]
) -> NDArray[np.int64]:
    """Numbers of the symbols' cells, N K."""
    places = np.arange(own.shape[1])
    found: NDArray[np.int64] = places * contexts.levels + contexts.level(own, others, places)
    return found


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
    """Symbols as numbers from 0: exact ones in the middle, half octaves to both sides."""
    size = np.abs(symbols)
    octaves = np.floor(2.0 * np.log2(np.maximum(size, EXACT) / EXACT)).astype(np.int64)
    found = np.sign(symbols) * np.where(size > EXACT, EXACT + 1 + octaves, size)
    return np.clip(found, -_HALF, _HALF).astype(np.int64) + _HALF


def _assign(
    symbols: NDArray[np.integer[Any]],
    cells: NDArray[np.integer[Any]],
    levels: int,
    density: NDArray[np.float64],
    prior: float,
) -> NDArray[np.integer[Any]]:
    """A table for each cell, by k-means with the bits of a cell's symbols for the distance.

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
    seen = (counts + DOUBT * own[:, None]).reshape(k * levels, size)
    mean = np.log(seen @ np.abs(np.arange(size) - _HALF) / seen.sum(1) + 1e-3)  # 1e-3: next to 0
    spread = max(float(np.ptp(mean)), 1e-9)
    label = np.minimum(((mean - mean.min()) / spread * TABLES).astype(np.int64), TABLES - 1)
    for _ in range(ROUNDS):
        total = np.full((TABLES, size), 1e-3)
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

    `tables` are the numbers of the symbols' tables, N K; `label` those of the cells, and `share`
    how many of the training rows come by them, both K x levels.
    """
    count = int(label.max()) + 1
    mass = np.zeros((count, len(label)))
    for k, row in enumerate(label):
        np.add.at(mass[:, k], row, share[k])
    expected = prior * mass @ density
    middle = density.shape[1] // 2
    limit = min(middle, LONGEST // 2 - 1)
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
        farthest = MARGIN * int(size[seen[t] > 0].max(initial=1))
        reach = min(int(np.argmax(beyond <= RARE * total)), farthest, limit)
        reach = max(reach, CAP)
        kept = row[limit - reach : limit + reach + 1]
        outside = prior * mass[t].sum() - expected[t].sum() + total - kept.sum()
        weights.append(np.append(kept, max(outside, RARE * total)))
        offsets.append(-reach)
    return weights, offsets
