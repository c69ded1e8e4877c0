"""Sound files to samples, a block at a time, and what is wrong with those that are none."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc_modalities.audio.formats import CHANNELS, RATE, SAMPLES, STORED, Header

BLOCK = 1 << 18
"""Frames that are held at once beside the result."""

# ffmpeg writes 0xFFFFFFFF into the size of a stream of unknown length, sox 0x7FFFF000 and above
_STREAMED = 0x7FFFF000
_OGG_PAGE = 65_307  # RFC 3533: bytes of a page at most
_OGG_END = 0x04  # RFC 3533: flag of the last page of a stream


def look(path: Path) -> Header:
    """The header of a file, checked; its samples are not read.

    Raises:
        SignalError: missing, not a file, empty, of no known kind, cut short, or of an
            impossible header.
    """
    with _opened(path) as file:
        return _header(path, file)


def blocks(path: Path, block: int = BLOCK) -> Iterator[NDArray[np.float32]]:
    """Samples of a file in order, frames by channels, full scale at -1 and 1.

    Floating-point files may go beyond.

    Raises:
        SignalError: as `look`, and for damage, missing ends and samples that are not finite.
    """
    with _opened(path) as file:
        header = _header(path, file)
        done = 0
        while True:
            part = file.read(block, dtype="float32", always_2d=True)
            if not len(part):
                break
            if not np.isfinite(part).all():
                raise SignalError(f"{path}: samples that are NaN or infinite; repair them first")
            done += len(part)
            yield part
    if done != header.frames:
        raise SignalError(f"{path}: damaged or cut short ({done} of {header.frames} samples)")


def load(path: Path) -> tuple[Header, NDArray[np.float32]]:
    """All samples of a file, channels by frames.

    Raises:
        SignalError: as `blocks`.
    """
    header = look(path)
    # memory grows with what is there, not with what the header promises
    parts = list(blocks(path))
    samples = np.empty((header.channels, header.frames), np.float32)
    parts.reverse()
    done = 0
    while parts:
        part = parts.pop()
        samples[:, done : done + len(part)] = part.T
        done += len(part)
    return header, samples


def _header(path: Path, file: soundfile.SoundFile) -> Header:
    header = Header(file.frames, file.channels, file.samplerate, file.format, file.subtype)
    if header.subtype not in STORED.get(header.format, ()):
        raise SignalError(
            f"{path}: {header.format} with samples of kind {header.subtype} is not supported; "
            "convert it to WAV or FLAC first"
        )
    if header.channels > CHANNELS:
        raise SignalError(
            f"{path}: {header.channels} channels, at most {CHANNELS} are supported; split it"
        )
    if header.frames < 1:
        raise SignalError(f"{path}: holds no samples")
    if not 1 <= header.rate <= RATE:
        raise SignalError(f"{path}: {header.rate} samples per second are not 1 to {RATE}")
    if header.frames * header.channels > SAMPLES:
        raise SignalError(
            f"{path}: {header.frames * header.channels} samples are more than {SAMPLES}, "
            "the limit; cut it in pieces"
        )
    return header


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """A file to read, with whatever libsndfile has to say turned into one line."""
    if path.is_dir():
        raise SignalError(f"{path}: a folder, not a sound file")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise SignalError(f"{path}: an empty file, not a sound")
            if _cut(file, path.stat().st_size):
                raise SignalError(f"{path}: cut short; its end is missing")
    except FileNotFoundError:
        raise SignalError(f"{path}: no such file") from None
    except OSError as error:
        raise SignalError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        with soundfile.SoundFile(str(path)) as file:
            yield file
    except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError) as error:
        reason = one_line(getattr(error, "error_string", error))
        raise SignalError(
            f"{path}: not a WAV, FLAC or Ogg file, or damaged ({reason or 'no reason given'})"
        ) from None


def _cut(file: BinaryIO, size: int) -> bool:
    """Whether a file ends before it says; libsndfile would take what is left for all of it."""
    file.seek(0)
    magic = file.read(12)
    if magic[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return _cut_wav(file, size, magic)
    if magic[:4] == b"OggS":
        file.seek(max(0, size - _OGG_PAGE))
        last = file.read()
        page = last.rfind(b"OggS")
        if page < 0 or len(last) < page + 27 or not last[page + 5] & _OGG_END:
            return True
        sizes = last[page + 27 : page + 27 + last[page + 26]]  # of the segments of that page
        return page + 27 + last[page + 26] + sum(sizes) > len(last)
    return False  # FLAC states its length and checks every frame


def _cut_wav(file: BinaryIO, size: int, magic: bytes) -> bool:
    """Walk the chunks up to the samples (Microsoft, Multimedia Programming Interface 1.0)."""
    order = ">" if magic[:4] == b"RIFX" else "<"
    long = None
    at = 12
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"ds64" and at + 24 <= size:  # EBU Tech 3306: sizes of the file, of the samples
            long = struct.unpack("<8xQ", file.read(16))[0]
        if name == b"data":
            if magic[:4] == b"RF64" and long is not None:
                length = long
            elif length >= _STREAMED:
                return False
            return at + 8 + length > size
        at += 8 + length + length % 2
    return True
