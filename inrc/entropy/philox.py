"""Random numbers that are the same on every machine: integers of a counter, uniforms, normals.

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a counter
into four integers of 32 bits by integer arithmetic. Normal numbers follow by additions, products,
quotients and square roots of float64 only, whose results IEEE 754 defines to the last bit.
Logarithms of C libraries and vector units differ between machines and are not used.
"""

import numpy as np
from numpy.typing import NDArray

_MULTIPLY = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
NUM_CACHED = 1 << 14
"""Numbers that are computed at once: 128 KiB of float64, which fit the cache of a core."""
LANES = 4
"""Number of integers of one counter."""

# Wichura 1988, algorithm AS 241 (PPND16): numerators and denominators, highest power first
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_FLANK = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
     1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
     4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
     0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
     2.05319162663775882187, 1.0),
)  # fmt: skip
_CENTRAL = 0.425
_SHIFT = 1.6

Floats = NDArray[np.float64]


def philox(counter: NDArray[np.uint32], key: tuple[int, int]) -> NDArray[np.uint32]:
    """Four 32-bit integers for every counter of four integers (the last axis of both)."""
    c0, c1, c2, c3 = (counter[..., lane].astype(np.uint64) for lane in range(LANES))
    k0, k1 = key
    for _ in range(_ROUNDS):
        one, two = c0 * np.uint64(_MULTIPLY[0]), c2 * np.uint64(_MULTIPLY[1])
        c0, c1, c2, c3 = (
            (two >> _32) ^ c1 ^ np.uint64(k0), two & _LOW, (one >> _32) ^ c3 ^ np.uint64(k1),
            one & _LOW,
        )  # fmt: skip
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], -1).astype(np.uint32)


def uniforms(index: NDArray[np.int64], dims: int, stream: int) -> Floats:
    """Numbers in (0, 1) of a stream, `dims` for every index (below 2^32): (k + 1/2) / 2^32."""
    groups = -(-dims // LANES)
    counter = np.zeros((*index.shape, groups, LANES), np.uint32)
    counter[..., 0] = index[..., None]
    counter[..., 1] = np.arange(groups)
    integers = philox(counter, (stream, 0))
    flat = integers.reshape(*index.shape, groups * LANES)[..., :dims]
    return (flat.astype(np.float64) + 0.5) * 2.0**-32


def normals(index: NDArray[np.int64], dims: int, stream: int) -> Floats:
    """Standard normal numbers of a stream, `dims` for every index, all within +-6.4."""
    values = np.empty((*index.shape, dims))
    size = max(1, NUM_CACHED // max(dims, 1))
    for start in range(0, len(index), size):
        part = slice(start, start + size)
        values[part] = inverse_normal(uniforms(index[part], dims, stream))
    return values


def logarithm(x: Floats) -> Floats:
    """The natural logarithm of positive numbers, by IEEE operations only; within 2 units of 2^-52.

    log x = e log 2 + 2 artanh((m - 1) / (m + 1)), x = m 2^e with m in [sqrt(1/2), sqrt(2)).
    """
    mantissa, exponent = np.frexp(x)
    small = mantissa < 0.7071067811865476
    mantissa = np.where(small, mantissa * 2.0, mantissa)
    whole: Floats = (exponent - small).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s  # below 0.0295: twelve terms leave 1e-19
    series = np.full_like(s, 1.0 / 25.0)
    for odd in range(23, 0, -2):
        series = series * square + 1.0 / odd
    return whole * 0.6931471805599453 + 2.0 * (s * series)


def inverse_normal(p: Floats) -> Floats:
    """The quantile function of the standard normal distribution, for p in [1e-11, 1 - 1e-11].

    Wichura 1988, AS 241, relative error 1e-16; its third range, beyond 7 deviations, is not used.
    """
    q = p - 0.5
    r = 0.180625 - q * q
    centre = _ratio(_CENTRE, r) * q
    tail = np.sqrt(-logarithm(np.minimum(p, 1.0 - p))) - _SHIFT
    flank = np.copysign(_ratio(_FLANK, tail), q)
    return np.where(np.abs(q) <= _CENTRAL, centre, flank)


def _ratio(polynomials: tuple[tuple[float, ...], tuple[float, ...]], r: Floats) -> Floats:
    above, below = (np.full_like(r, each[0]) for each in polynomials)
    for a, b in zip(polynomials[0][1:], polynomials[1][1:], strict=True):
        above, below = above * r + a, below * r + b
    return above / below
