"""Integer symbols to bytes and back, on integer probability tables.

The result is the same on every machine: the probabilities given to the range coder are multiples
of 2^-16, exact in float32, and so are their partial sums.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import constriction
import numpy as np
from numpy.typing import NDArray

from inrc.entropy.contexts import MAX_SIZE, Contexts, Trail, sizes
from inrc.errors import ContainerError, ModelError

PRECISION = 16
"""Bits of the probabilities of a table, as in CompressAI."""
TOTAL = 1 << PRECISION
MAX_BITS = 15
"""Levels of a quantiser as a power of two: each has at least 2^-16 of a table."""
_OUTSIDE = 1 << 24
"""Larger than any symbol of a table."""


@dataclass(frozen=True)
class Tables:
    """Integer probability tables, and the choice of a table for every symbol.

    `counts[t, :lengths[t]]` are positive and sum to 2^16. Entry i stands for the symbol
    `offsets[t] + i`; the last entry is the escape: the symbol follows in full. Without `contexts`
    there is one table per latent dimension, or a single one for all dimensions.
    """

    counts: NDArray[np.int32]  # T S
    lengths: NDArray[np.int32]  # T
    offsets: NDArray[np.int32]  # T
    contexts: Contexts | None = None
    _models: dict[int, constriction.stream.model.Categorical] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        inside = np.arange(self.counts.shape[1]) < self.lengths[:, None]
        sums = np.where(inside, self.counts, 0).sum(1)
        if (self.lengths < 2).any() or (sums != TOTAL).any() or (self.counts[inside] < 1).any():
            raise ContainerError("probability tables: a table does not sum to 2^16")
        if self.contexts is not None:
            choice, last = self.contexts.choice, self.offsets + self.lengths - 2
            if choice.min(initial=0) < 0 or choice.max(initial=0) >= len(self.lengths):
                raise ContainerError("probability tables: a context has no table")
            rows = {len(self.contexts.thresholds), len(self.contexts.beside)}
            if choice.shape[1] != self.contexts.levels or rows != {len(choice)}:
                raise ContainerError("probability tables: thresholds do not fit their contexts")
            # an escape has the size MAX_SIZE
            if (self.offsets > -MAX_SIZE).any() or (last < MAX_SIZE).any():
                raise ContainerError(f"probability tables: one ends before {MAX_SIZE}")

    def chosen(self, symbols: NDArray[np.int32]) -> NDArray[np.int16]:
        """Number of every symbol's table, P K."""
        if self.contexts is not None:
            return self.contexts.tables(symbols)
        columns = np.arange(symbols.shape[1] if len(self.lengths) > 1 else 1, dtype=np.int16)
        return np.broadcast_to(columns, symbols.shape)

    def model(self, t: int) -> constriction.stream.model.Categorical:
        """The range coder's model of table t."""
        if t not in self._models:
            probabilities = self.counts[t, : self.lengths[t]].astype(np.float32) / TOTAL
            self._models[t] = constriction.stream.model.Categorical(probabilities, perfect=False)
        return self._models[t]

    @cached_property
    def costs(self) -> NDArray[np.float32]:
        """Bits of every entry, T S; the escape includes a following 8-bit number."""
        costs = -np.log2(np.maximum(self.counts, 1) / TOTAL)
        costs[np.arange(len(costs)), self.lengths - 1] += 16.0
        return costs.astype(np.float32)

    def index(self, symbols: NDArray[np.int32], chosen: NDArray[np.int16]) -> NDArray[np.int32]:
        """Entry of every symbol in its table, the escape for symbols outside of it."""
        last = (self.lengths - 1)[chosen]
        # far symbols are moved to just outside of every table, so that nothing overflows
        entry = np.clip(symbols, -_OUTSIDE, _OUTSIDE).astype(np.int32) - self.offsets[chosen]
        entries: NDArray[np.int32] = np.where((entry < 0) | (entry > last), last, entry)
        return entries

    def bits(self, symbols: NDArray[np.int32]) -> NDArray[np.float64]:
        """Cost of every row in bits, P: the cross-entropy under the tables."""
        chosen = self.chosen(symbols)
        return self.costs[chosen, self.index(symbols, chosen)].astype(np.float64).sum(1)


def levels(bits: int) -> int:
    """Number of levels of a quantiser. Raises ModelError for bits that no table has."""
    if not 1 <= bits <= MAX_BITS:
        raise ModelError(f"a quantiser of {bits:.3g} bits; give 1 to {MAX_BITS}")
    return 1 << bits


def tabulate(weights: list[NDArray[np.float64]], offsets: list[int]) -> Tables:
    """Tables from unnormalised probabilities; the last of each row is its escape.

    Every entry gets at least 1 of 2^16; the rest is shared out in proportion, remainders to the
    largest fractions, ties to the smallest entry.
    """
    lengths = np.array([len(w) for w in weights], np.int32)
    counts = np.zeros((len(weights), int(lengths.max())), np.int32)
    for row, w in zip(counts, weights, strict=True):
        share = w / w.sum() * (TOTAL - len(w))
        whole = np.floor(share).astype(np.int64)
        missing = TOTAL - len(w) - int(whole.sum())
        whole[np.argsort(whole - share, kind="stable")[:missing]] += 1
        row[: len(w)] = whole + 1
    return Tables(counts, lengths, np.array(offsets, np.int32))


def _alike(chosen: NDArray[np.int16]) -> Iterator[tuple[int, NDArray[np.int64] | slice]]:
    """Tables that are in use in a column, and their rows."""
    first = int(chosen[0]) if len(chosen) else 0
    if not len(chosen) or (chosen == first).all():
        yield first, slice(None)
        return
    order = np.argsort(chosen, kind="stable")
    starts = np.flatnonzero(np.diff(chosen[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        yield int(chosen[rows[0]]), rows


def encode(symbols: NDArray[np.int32], tables: Tables) -> bytes:
    """Range-code symbols P K in one stream, dimension by dimension and table by table."""
    coder = constriction.stream.queue.RangeEncoder()
    escaped: list[NDArray[np.int32]] = []
    chosen = tables.chosen(symbols)
    for k in range(symbols.shape[1]):
        column = tables.index(symbols[:, k], chosen[:, k])  # a whole archive's would be large
        for t, rows in _alike(chosen[:, k]):
            coder.encode(column[rows], tables.model(t))
        escaped.append(symbols[column == tables.lengths[chosen[:, k]] - 1, k])
    for number in np.concatenate(escaped) if escaped else []:
        _encode_escape(coder, int(number))
    words = coder.get_compressed().astype("<u4")
    return words.tobytes().rstrip(b"\0")


def decode(data: bytes, rows: int, columns: int, tables: Tables) -> NDArray[np.int32]:
    """Symbols of `encode`. Raises ContainerError for damaged bytes."""
    words = np.frombuffer(data + b"\0" * (-len(data) % 4), "<u4").astype(np.uint32)
    coder = constriction.stream.queue.RangeDecoder(words)
    symbols = np.empty((rows, columns), np.int32)
    escapes = []
    trail = Trail(tables.contexts, rows) if tables.contexts else None
    plain = tables.chosen(np.zeros((0 if trail else rows, columns), np.int32))
    try:
        for k in range(columns):
            chosen = trail.tables() if trail else plain[:, k]
            for t, some in _alike(chosen):
                count = rows if isinstance(some, slice) else len(some)
                symbols[some, k] = coder.decode(tables.model(t), count)
            escapes.append(np.flatnonzero(symbols[:, k] == tables.lengths[chosen] - 1))
            symbols[:, k] += tables.offsets[chosen]
            if trail:
                size = sizes(symbols[:, k])
                size[escapes[k]] = MAX_SIZE
                trail.append(size)
        for k, escaped in enumerate(escapes):
            for row in escaped:
                symbols[row, k] = _decode_escape(coder)
    except (AssertionError, ValueError) as error:
        raise ContainerError(f"payload: does not decode ({error})") from error
    return symbols


def _bit(coder: "constriction.stream.queue.RangeEncoder", value: int, bits: int) -> None:
    model = constriction.stream.model.Uniform(1 << min(bits, 16))
    coder.encode(np.array([value], np.int32), model)


def _encode_escape(coder: "constriction.stream.queue.RangeEncoder", number: int) -> None:
    """Sign, number of bits, then the bits of |number|, sixteen at a time."""
    size = abs(number)
    length = size.bit_length()
    _bit(coder, int(number < 0), 1)
    _bit(coder, length, 5)
    while length > 0:
        take = min(length, 16)
        _bit(coder, size & ((1 << take) - 1), take)
        size >>= take
        length -= take


def _decode_escape(coder: "constriction.stream.queue.RangeDecoder") -> int:
    def take(bits: int) -> int:
        return int(coder.decode(constriction.stream.model.Uniform(1 << bits), 1)[0])

    negative = take(1)
    length = take(5)
    size = place = 0
    while length > 0:
        bits = min(length, 16)
        size |= take(bits) << place
        place += bits
        length -= bits
    return -size if negative else size
