"""Integer symbols to bytes and back, on integer probability tables.

Nothing here depends on floating point that could differ between machines: the probabilities given
to the range coder are multiples of 2^-16, exact in float32, and so are their partial sums.
"""

from dataclasses import dataclass, field
from functools import cached_property

import constriction
import numpy as np
from numpy.typing import NDArray

from inrc.errors import ContainerError

PRECISION = 16
"""Bits of a table's probabilities, as in CompressAI."""
TOTAL = 1 << PRECISION


@dataclass(frozen=True)
class Tables:
    """One integer probability table per latent dimension, or a single one for all of them.

    `counts[t, :lengths[t]]` are positive and sum to 2^16. Entry i stands for the symbol
    `offsets[t] + i`; the last entry is the escape: the symbol follows in full.
    """

    counts: NDArray[np.int32]  # T S
    lengths: NDArray[np.int32]  # T
    offsets: NDArray[np.int32]  # T
    _models: dict[int, constriction.stream.model.Categorical] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        inside = np.arange(self.counts.shape[1]) < self.lengths[:, None]
        sums = np.where(inside, self.counts, 0).sum(1)
        if (self.lengths < 2).any() or (sums != TOTAL).any() or (self.counts[inside] < 1).any():
            raise ContainerError("probability tables: a table does not sum to 2^16")

    def column(self, k: int) -> int:
        """Number of the table of latent dimension k."""
        return k if len(self.lengths) > 1 else 0

    def model(self, t: int) -> constriction.stream.model.Categorical:
        """The range coder's model of table t."""
        if t not in self._models:
            probabilities = self.counts[t, : self.lengths[t]].astype(np.float32) / TOTAL
            self._models[t] = constriction.stream.model.Categorical(probabilities, perfect=False)
        return self._models[t]

    @cached_property
    def costs(self) -> NDArray[np.float32]:
        """Bits of every entry, T S; the escape with the cost of a following 8-bit number."""
        costs = -np.log2(np.maximum(self.counts, 1) / TOTAL)
        costs[np.arange(len(costs)), self.lengths - 1] += 16.0
        return costs.astype(np.float32)

    def index(self, symbols: NDArray[np.int32]) -> NDArray[np.int32]:
        """Entry of every symbol, P K; the escape for those outside their table."""
        last = self.lengths - 1
        entry = symbols.astype(np.int64) - self.offsets
        return np.where((entry >= 0) & (entry < last), entry, last).astype(np.int32)

    def entries(self, symbols: NDArray[np.int32], k: int) -> NDArray[np.int32]:
        """The same for the symbols P of one latent dimension."""
        t = self.column(k)
        last = self.lengths[t] - 1
        entry = symbols.astype(np.int64) - self.offsets[t]
        return np.where((entry >= 0) & (entry < last), entry, last).astype(np.int32)

    def bits(self, symbols: NDArray[np.int32]) -> NDArray[np.float64]:
        """Cost of every row in bits, P: the cross-entropy under the tables."""
        tables = np.arange(symbols.shape[1]) if len(self.lengths) > 1 else 0
        return self.costs[tables, self.index(symbols)].astype(np.float64).sum(1)


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


def encode(symbols: NDArray[np.int32], tables: Tables) -> bytes:
    """Range-code symbols P K in one stream, dimension by dimension."""
    coder = constriction.stream.queue.RangeEncoder()
    escaped: list[NDArray[np.int32]] = []
    for k in range(symbols.shape[1]):
        t = tables.column(k)
        column = tables.entries(symbols[:, k], k)  # a whole archive's would be large
        coder.encode(column, tables.model(t))
        escaped.append(symbols[column == tables.lengths[t] - 1, k])
    for number in np.concatenate(escaped) if escaped else []:
        _encode_escape(coder, int(number))
    words = coder.get_compressed().astype("<u4")
    return words.tobytes().rstrip(b"\0")


def decode(data: bytes, rows: int, columns: int, tables: Tables) -> NDArray[np.int32]:
    """Symbols of `encode`. Raises ContainerError for bytes that it cannot have written."""
    words = np.frombuffer(data + b"\0" * (-len(data) % 4), "<u4").astype(np.uint32)
    coder = constriction.stream.queue.RangeDecoder(words)
    symbols = np.empty((rows, columns), np.int32)
    try:
        for k in range(columns):
            symbols[:, k] = coder.decode(tables.model(tables.column(k)), rows)
        for k in range(columns):
            t = tables.column(k)
            escaped = np.flatnonzero(symbols[:, k] == tables.lengths[t] - 1)
            symbols[:, k] += tables.offsets[t]
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
