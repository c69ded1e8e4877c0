"""Spectra as text, in the ASCII format of the IAEA (.spe): sections that begin with $NAME:."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError

SUFFIXES = (".spe",)
MAX_CHANNELS = 1 << 20
"""Detectors have up to 65,536 channels."""
MAX_TEXT_LENGTH = 1 << 16
"""Characters before and after the counts."""

_DATA = re.compile(r"^\$DATA:[ \t]*(\r?\n)[ \t]*(\d{1,9})[ \t]+(\d{1,9})[ \t]*\r?\n", re.MULTILINE)


@dataclass(frozen=True)
class Spectrum:
    """Counts in channels, and the text around them as it stands (times, calibration, dates)."""

    counts: NDArray[np.int64]
    first: int
    head: str
    tail: str
    newline: str


def load(path: Path) -> Spectrum:
    """Read a spectrum; raises SignalError, in one line, if anything is wrong with the file."""
    try:
        text = path.read_bytes().decode("latin-1")
    except OSError as error:
        raise SignalError(f"{path}: {error.strerror}") from error
    data = _DATA.search(text)
    if data is None:
        raise SignalError(f"{path}: no $DATA: section with a range of channels; give a .spe file")
    first, last = int(data[2]), int(data[3])
    end = text.find("$", data.end())
    end = len(text) if end < 0 else end
    words = text[data.end() : end].split()
    if not 0 < last - first + 1 <= MAX_CHANNELS or len(words) != last - first + 1:
        raise SignalError(
            f"{path}: {len(words)} counts for channels {first} to {last}; get the file again"
        )
    if not all(word.isascii() and word.isdigit() and len(word) < 16 for word in words):
        raise SignalError(f"{path}: counts are not whole numbers; get the file again")
    counts = np.array([int(word) for word in words], np.int64)
    if not counts.any():
        raise SignalError(f"{path}: all counts are 0; leave the file out")
    head, tail = text[: data.start()], text[end:]
    if len(head) + len(tail) > MAX_TEXT_LENGTH:
        raise SignalError(f"{path}: more than {MAX_TEXT_LENGTH} characters around the counts")
    return Spectrum(counts, first, head, tail, data[1])


def save(spectrum: Spectrum, path: Path) -> None:
    """Write a spectrum; raises SignalError if the suffix is not .spe."""
    if path.suffix.lower() not in SUFFIXES:
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use {SUFFIXES[0]}")
    first, last = spectrum.first, spectrum.first + len(spectrum.counts) - 1
    lines = ["$DATA:", f"{first} {last}", *(f"{count:>8}" for count in spectrum.counts.tolist())]
    data = spectrum.newline.join([*lines, ""])
    path.write_bytes((spectrum.head + data + spectrum.tail).encode("latin-1"))


def texts(meta: Any) -> tuple[str, str]:
    """Texts before and after the counts; raises SignalError if no file can have them."""
    head, tail = meta.get("head"), meta.get("tail")
    if not (isinstance(head, str) and isinstance(tail, str)):
        raise SignalError("gamma: invalid header: no text")
    if len(head) + len(tail) > MAX_TEXT_LENGTH or max(map(ord, head + tail), default=0) > 255:
        raise SignalError("gamma: invalid header: text that no file has")
    return head, tail
