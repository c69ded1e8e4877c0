"""Descriptions of how pixels look: ICC profiles, and the PNG chunks of the same purpose.

Pixels without a description are sRGB, so a description that says sRGB is not kept. Profiles are
compared by their content: names are free, and "Linear sRGB" is not sRGB.
"""

import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

MAX_PROFILE_BYTES = 1 << 16
"""Larger profiles are not kept; those of cameras and displays have 500 to 3,200 bytes."""
CHUNKS = {"gAMA": 4, "cHRM": 32, "cICP": 4, "mDCV": 24, "cLLI": 8}
"""PNG chunks that describe colour, and their sizes in bytes (PNG specification, third edition)."""

# PNG specification, sRGB: the values of gAMA and cHRM that mean sRGB; H.273: cICP of sRGB
_SRGB_GAMA = struct.pack(">I", 45455)
_SRGB_CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_SRGB_CICP = bytes([1, 13, 0, 1])
# IEC 61966-2-1, primaries adapted to D50 as in every sRGB profile
_SRGB_XYZ = np.array([[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]])
_XYZ_TOLERANCE = 0.001
_LEVEL_TOLERANCE = 0.5 / 255.0
# ICC.1:2022, 7.2 and 7.3: offsets in the header, tables that take the place of curves
_SPACE, _TAG_COUNT, _TAGS = slice(16, 20), slice(128, 132), 132
_TABLES = {b"A2B0", b"A2B1", b"A2B2", b"D2B0", b"D2B1", b"D2B2"}


def kept_profile(icc: bytes | None) -> bytes | None:
    """The profile if it says more than sRGB and has at most `MAX_PROFILE_BYTES`, else None."""
    return None if not icc or len(icc) > MAX_PROFILE_BYTES or is_srgb(icc) else icc


def png_colour(
    chunks: Mapping[str, bytes], icc: bytes | None
) -> tuple[bytes | None, dict[str, bytes]]:
    """The profile and the colour chunks of a PNG that have to be kept.

    cICP comes before iCCP, iCCP before sRGB, and sRGB before gAMA and cHRM, as in the
    specification. Chunks of a wrong size are ignored, as decoders ignore them.
    """
    kept = {
        name: chunks[name] for name, size in CHUNKS.items() if len(chunks.get(name, b"")) == size
    }
    if kept.get("cICP") == _SRGB_CICP:
        return None, {}
    icc = kept_profile(icc)
    plain = (
        kept.get("gAMA", _SRGB_GAMA) == _SRGB_GAMA and kept.get("cHRM", _SRGB_CHRM) == _SRGB_CHRM
    )
    if plain or "sRGB" in chunks:
        kept = {name: data for name, data in kept.items() if name not in ("gAMA", "cHRM")}
    return icc, kept


def is_srgb(icc: bytes) -> bool:
    """Whether a profile shows every pixel as sRGB does, within half a level of 8 bits.

    Profiles of grey pictures need the curve of sRGB only. Profiles with tables, and damaged ones,
    are not sRGB.
    """
    levels = np.linspace(0.0, 1.0, 256)
    try:
        tags = _tags(icc)
        if _TABLES & tags.keys():
            return False
        if icc[_SPACE] == b"GRAY":
            curves = [tags[b"kTRC"]]
        elif icc[_SPACE] == b"RGB ":
            curves = [tags[b"rTRC"], tags[b"gTRC"], tags[b"bTRC"]]
            xyz = [_fixed(tags[name], 8, 3) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
            if not np.allclose(xyz, _SRGB_XYZ, rtol=0.0, atol=_XYZ_TOLERANCE):
                return False
        else:
            return False
        shown = [srgb_encode(_curve(tag, levels)) for tag in curves]
    except (KeyError, ValueError, struct.error):
        return False
    return bool(np.allclose(shown, levels, rtol=0.0, atol=_LEVEL_TOLERANCE))


def srgb_encode(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light in [0, 1] to levels in [0, 1], by the curve of sRGB (IEC 61966-2-1)."""
    bright = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, 12.92 * light, bright)


def _tags(icc: bytes) -> dict[bytes, bytes]:
    count = int.from_bytes(icc[_TAG_COUNT], "big")
    rows = struct.iter_unpack(">4sII", icc[_TAGS : _TAGS + 12 * count])
    return {name: icc[start : start + size] for name, start, size in rows}


def _fixed(tag: bytes, offset: int, count: int) -> NDArray[np.float64]:
    """Numbers of 16 bits before and 16 bits after the point (s15Fixed16)."""
    return np.frombuffer(tag, ">i4", count, offset) / 65536.0


def _curve(tag: bytes, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light of levels, by a tag of the types `curv` or `para` (ICC.1:2022, 10.6 and 10.18).

    Raises:
        ValueError: a tag of another type, or cut short.
    """
    kind, count = tag[:4], int.from_bytes(tag[8:12], "big")
    if kind == b"curv":
        values = np.frombuffer(tag, ">u2", count, 12)
        if count == 0:
            return levels
        if count == 1:
            return levels ** (values[0] / 256.0)
        return np.interp(levels, np.linspace(0.0, 1.0, count), values / 65535.0)
    if kind == b"para" and tag[8:10] == b"\0\0":
        return levels ** _fixed(tag, 12, 1)
    if kind == b"para" and tag[8:10] == b"\0\3":  # the way in which sRGB itself is written
        gamma, a, b, c, d = _fixed(tag, 12, 5)
        return np.where(levels < d, c * levels, np.maximum(a * levels + b, 0.0) ** gamma)
    raise ValueError("a curve of another type")
