"""Descriptions of how pixels look: ICC profiles, and the PNG chunks of the same purpose.

Pixels without a description are sRGB, so a description that says sRGB is not kept. Profiles are
compared by their content: names are free, and "Linear sRGB" is not sRGB.
"""

import io
import struct
from collections.abc import Mapping

import numpy as np
import PIL.Image
from PIL import ImageCms

MAX_PROFILE_BYTES = 1 << 16
"""Larger profiles are not kept; those of cameras and displays have 500 to 3,200 bytes."""
CHUNKS = {"gAMA": 4, "cHRM": 32, "cICP": 4, "mDCV": 24, "cLLI": 8}
"""PNG chunks that describe colour, and their sizes in bytes (PNG specification, third edition)."""

# PNG specification, sRGB: the values of gAMA and cHRM that mean sRGB; H.273: cICP of sRGB
_SRGB_GAMA = struct.pack(">I", 45455)
_SRGB_CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_SRGB_CICP = bytes([1, 13, 0, 1])
_HUES = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.uint8)


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
    """Whether a profile shows pixels as sRGB does, within a level of 8 bits; not if it is damaged.

    Compared are greys and, of RGB pixels, reds, greens and blues.
    """
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if profile.profile.xcolor_space.strip() == "GRAY":
            shades = np.arange(256, dtype=np.uint8)[None]
        else:
            shades = _HUES[:, None] * np.arange(256, dtype=np.uint8)[:, None]
        shown = ImageCms.profileToProfile(
            PIL.Image.fromarray(shades), profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (OSError, ImageCms.PyCMSError):
        return False
    shades = shades.reshape(*shades.shape[:2], -1)
    return int(np.abs(np.asarray(shown).astype(int) - shades).max()) <= 1
