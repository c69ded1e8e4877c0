"""Kinds of sound files, and the headers that they may have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inrc.errors import SignalError

MAX_CHANNELS = 8
"""Largest number of channels: 7.1, and the limit of FLAC."""
MAX_RATE = 655_350
"""Highest sampling rate: that which a FLAC header can state."""
MAX_SAMPLES = 1 << 31
"""Largest number of samples of all channels, 8 GiB in float32: six hours of stereo at 48 kHz."""

BITS: Mapping[str, int] = {
    "PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32,
    # G.711: 8 bits for levels of 14 and 13 bits, which software reads as integers of 16
    "ULAW": 16, "ALAW": 16,
}  # fmt: skip
"""Bits of the integers of a sample format; other sample formats are floating point."""
FLOATS = ("FLOAT", "DOUBLE", "VORBIS", "OPUS")

_WAV = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
STORED: Mapping[str, tuple[str, ...]] = {
    "WAV": _WAV,
    "WAVEX": _WAV,
    "RF64": _WAV,
    "FLAC": ("PCM_S8", "PCM_16", "PCM_24"),
    "OGG": ("VORBIS", "OPUS"),
}
"""Sample formats of each file format, by their names in soundfile."""
SUFFIXES: Mapping[str, tuple[str, ...]] = {
    ".wav": ("WAV", "WAVEX", "RF64"),
    ".flac": ("FLAC",),
    ".ogg": ("OGG",),
}
"""File formats by suffix, the usual one first."""
READ_ONLY = (".oga", ".opus", ".wave")
"""Other suffixes of the same file formats, which are read but not written."""

_INSTEAD = {
    "FLAC": {"PCM_U8": "PCM_S8", "ULAW": "PCM_16", "ALAW": "PCM_16", "VORBIS": "PCM_16",
             "OPUS": "PCM_16", "PCM_32": "PCM_24", "FLOAT": "PCM_24", "DOUBLE": "PCM_24"},
    # decoded samples of lossy formats may exceed full scale
    "WAV": {"PCM_S8": "PCM_U8", "VORBIS": "FLOAT", "OPUS": "FLOAT"},
    "OGG": {},
}  # fmt: skip
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # RFC 6716, table 1: others cannot be encoded
_RIFF_LIMIT = (1 << 32) - (1 << 16)  # bytes of samples; sizes in RIFF are 32-bit


@dataclass(frozen=True)
class Header:
    """Number, rate and format of the samples of a file."""

    frames: int
    channels: int
    rate: int
    format: str
    subtype: str

    @staticmethod
    def of(meta: Mapping[str, Any]) -> "Header":
        """The header in the meta of a signal, checked.

        Raises:
            SignalError: an invalid meta, or too many samples.
        """
        numbers: list[Any] = [meta.get(key) for key in ("frames", "channels", "rate")]
        words: list[Any] = [meta.get(key) for key in ("format", "subtype")]
        if (
            not all(type(n) is int and n > 0 for n in numbers)
            or not all(isinstance(word, str) for word in words)
            or words[1] not in STORED.get(words[0], ())
            or numbers[1] > MAX_CHANNELS
            or numbers[2] > MAX_RATE
        ):
            raise SignalError(f"audio: invalid header ({dict(meta)!r:.120})")
        header = Header(*numbers, *words)
        if header.frames * header.channels > MAX_SAMPLES:
            raise SignalError(
                f"audio: {header.frames * header.channels} samples are more than {MAX_SAMPLES}, "
                "the limit; cut it into pieces"
            )
        return header

    def stored_as(self, suffix: str) -> "Header":
        """The header of a file with this suffix, in the nearest sample format that it can hold.

        Raises:
            SignalError: an unknown suffix.
        """
        kinds = SUFFIXES.get(suffix.lower())
        if kinds is None:
            raise SignalError(f"cannot write {suffix!r}; use one of {', '.join(SUFFIXES)}")
        kind = self.format if self.format in kinds else kinds[0]
        subtype = self.subtype
        if subtype not in STORED[kind]:
            subtype = _INSTEAD[kinds[0]].get(subtype, STORED[kind][0])
        if kind == "OGG" and subtype == "OPUS" and self.rate not in _OPUS_RATES:
            subtype = "VORBIS"
        if kind == "WAV" and self.channels > 2 and self.format != "WAV":
            kind = "WAVEX"  # plain WAV cannot say which speaker is which
        size = self.frames * self.channels * (BITS.get(subtype, 64) // 8)
        if kinds[0] == "WAV" and size > _RIFF_LIMIT:
            kind = "RF64"
        return Header(self.frames, self.channels, self.rate, kind, subtype)
