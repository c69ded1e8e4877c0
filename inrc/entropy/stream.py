"""Integers of unknown spread in one range-coded stream, on the tables of `inrc.entropy.family`."""

import constriction
import numpy as np
from numpy.typing import NDArray

from inrc.entropy.family import Family, halves, whole
from inrc.errors import ContainerError

_WORD = 16
"""Maximum number of bits of a number without a table."""
_ESCAPE = 2 * _WORD

_FAMILY = Family()

_Ints = NDArray[np.int64]


def _uniform(bits: int) -> "constriction.stream.model.Uniform":
    return constriction.stream.model.Uniform(1 << bits)


def _entries(numbers: _Ints, table: int, low: int) -> tuple[_Ints, _Ints, NDArray[np.bool_]]:
    """Entries of numbers in a table, their `low` low bits, and which of them are escaped."""
    tables = _FAMILY.tables
    high, rest = halves(numbers, low)
    last = int(tables.lengths[table]) - 1
    entry = high - int(tables.offsets[table])
    outside = (entry < 0) | (entry >= last)
    return np.where(outside, last, entry), rest, outside


def price(numbers: _Ints, kind: int) -> float:
    """Bits of these numbers with a kind's table."""
    table, low = _FAMILY.resolve(kind)
    entry, _, outside = _entries(numbers, table, low)
    bits = -np.log2(_FAMILY.tables.counts[table, entry] / float(1 << _WORD))
    # an escaped number follows in full, without low bits
    return float(bits.sum() + _ESCAPE * outside.sum() + low * (~outside).sum())


def cheapest(numbers: _Ints) -> tuple[int, float]:
    """The kind that codes these numbers in the fewest bits, and the number of bits."""
    squares = np.square(numbers.astype(np.float64))
    deviation = float(np.sqrt(squares.mean())) if numbers.size else 0.0
    prices = {kind: price(numbers, kind) for kind in _FAMILY.near(deviation)}
    kind = min(prices, key=lambda k: (prices[k], k))
    return kind, prices[kind]


class Writer:
    """Writes integers to one stream."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def plain(self, number: int, levels: int) -> None:
        """One number of `levels` equally likely ones, 2 at least."""
        self._coder.encode(np.array([number], np.int32), constriction.stream.model.Uniform(levels))

    def block(self, numbers: _Ints) -> None:
        """Numbers after their cheapest kind."""
        kind, _ = cheapest(numbers)
        self.plain(kind, _FAMILY.kinds)
        self.numbers(numbers, kind)

    def numbers(self, numbers: _Ints, kind: int) -> None:
        """32-bit numbers of a kind that the reader knows."""
        table, low = _FAMILY.resolve(kind)
        entry, rest, outside = _entries(numbers, table, low)
        if not numbers.size:
            return
        self._coder.encode(entry.astype(np.int32), _FAMILY.tables.model(table))
        self._words(rest[~outside], low)
        self._words(numbers[outside] + (1 << _ESCAPE - 1), _ESCAPE)

    def _words(self, numbers: _Ints, bits: int) -> None:
        while bits > 0 and numbers.size:
            take = min(bits, _WORD)
            part = numbers & ((1 << take) - 1)
            self._coder.encode(part.astype(np.int32), _uniform(take))
            numbers, bits = numbers >> take, bits - take

    def bytes(self) -> bytes:
        """The stream, without zeros at its end."""
        return self._coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")


class Reader:
    """Reads integers from a stream in the order in which they were written."""

    def __init__(self, data: bytes) -> None:
        words = np.frombuffer(data + b"\0" * (-len(data) % 4), "<u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def plain(self, levels: int) -> int:
        """One number of `levels` equally likely ones."""
        return int(self._take(constriction.stream.model.Uniform(levels), 1)[0])

    def block(self, count: int) -> _Ints:
        """`count` numbers after their kind."""
        return self.numbers(count, self.plain(_FAMILY.kinds))

    def numbers(self, count: int, kind: int) -> _Ints:
        """`count` numbers of a kind.

        Raises ContainerError for a damaged stream.
        """
        if count == 0:
            return np.zeros(0, np.int64)
        table, low = _FAMILY.resolve(kind)
        tables = _FAMILY.tables
        entry = self._take(tables.model(table), count)
        outside = entry == int(tables.lengths[table]) - 1
        inside = int(count - outside.sum())
        numbers = np.empty(count, np.int64)
        rest = self._words(inside, low)
        numbers[~outside] = whole(entry[~outside] + int(tables.offsets[table]), rest, low)
        numbers[outside] = self._words(count - inside, _ESCAPE) - (1 << _ESCAPE - 1)
        return numbers

    def _words(self, count: int, bits: int) -> _Ints:
        numbers, place = np.zeros(count, np.int64), 0
        while place < bits and count:
            take = min(bits - place, _WORD)
            numbers |= self._take(_uniform(take), count) << place
            place += take
        return numbers

    def _take(self, model: object, count: int) -> _Ints:
        try:
            return np.asarray(self._coder.decode(model, count)).astype(np.int64)
        except (AssertionError, ValueError) as error:
            raise ContainerError(f"payload: does not decode ({error})") from error
