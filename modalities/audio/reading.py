"""Sound files to samples, a block at a time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import explained
from inrc_modalities.audio import flac, ogg, riff
from inrc_modalities.audio.formats import MAX_CHANNELS, MAX_RATE, MAX_SAMPLES, STORED, Header

BLOCK = 1 << 18
"""Frames that are read at once."""


def read_header(path: Path) -> Header:
    """Read and check the header of a file; its samples are not read.

    Raises:
        SignalError: a file that is missing, empty, of an unknown format, cut short, or has an
            invalid header.
    """
    with _opened(path) as file:
        return _header(path, file)


def blocks(path: Path, block: int = BLOCK) -> Iterator[NDArray[np.float32]]:
    """Samples of a file in order, frames by channels, full scale at -1 and 1.

    Floating-point files may go beyond.

    Raises:
        SignalError: as `read_header`, and for damage, missing ends and samples that are not finite.
    """
    with _opened(path) as file:
        header = _header(path, file)
        done = 0
        while True:
            part = file.read(block, dtype="float32", always_2d=True)
            if not len(part):
                break
            if not np.isfinite(part).all():
                raise SignalError(f"{path}: samples that are NaN or infinite; replace them first")
            done += len(part)
            yield part
    if done != header.frames:
        raise SignalError(
            f"{path}: damaged or cut short ({done} of {header.frames} samples); "
            "fetch or make it again"
        )


def load(path: Path) -> tuple[Header, NDArray[np.float32]]:
    """All samples of a file, channels by frames."""
    header = read_header(path)
    # memory grows with the samples that are there, not with those that the header declares
    parts = list(blocks(path))
    samples = np.empty((header.channels, header.frames), np.float32)
    parts.reverse()
    done = 0
    while parts:
        part = parts.pop()
        samples[:, done : done + len(part)] = part.T
        done += len(part)
    return header, samples


def losses(path: Path) -> list[str]:
    """What is not kept of a file, in short phrases: tags, cue points, speaker positions."""
    read_header(path)
    with path.open("rb") as file:
        size = path.stat().st_size
        chunks = riff.read(file, size)
        lost = (
            chunks.losses(file)
            if chunks is not None
            else [*flac.losses(file, size), *ogg.losses(file)]
        )
    return list(dict.fromkeys(lost))


def _header(path: Path, file: soundfile.SoundFile) -> Header:
    header = Header(file.frames, file.channels, file.samplerate, file.format, file.subtype)
    if header.subtype not in STORED.get(header.format, ()):
        raise SignalError(
            f"{path}: {header.format} with {header.subtype} samples is not supported; "
            "convert it to WAV or FLAC first"
        )
    if header.channels > MAX_CHANNELS:
        raise SignalError(f"{path}: {header.channels} channels, more than {MAX_CHANNELS}; split it")
    if header.frames < 1:
        raise SignalError(f"{path}: holds no samples; check how it was written")
    if not 1 <= header.rate <= MAX_RATE:
        raise SignalError(
            f"{path}: {header.rate} samples per second, not 1 to {MAX_RATE}; resample it"
        )
    if header.frames * header.channels > MAX_SAMPLES:
        raise SignalError(
            f"{path}: {header.frames * header.channels} samples are more than {MAX_SAMPLES}, "
            "the limit; cut it into pieces"
        )
    return header


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """A file to read; errors of libsndfile become one line."""
    with explained(path, "a WAV, FLAC or Ogg file"):
        with path.open("rb") as file:
            if not file.read(1):
                raise SignalError("an empty file; make it again")
            patches = _patches(path, file)
        try:
            with (
                _Patched(path, patches) as patched,
                soundfile.SoundFile(patched if patches else str(path)) as sound,
            ):
                yield sound
        except soundfile.LibsndfileError as error:
            raise ValueError(error.error_string) from None  # without its name of the file


class _Patched(FileIO):
    """A file some of whose bytes are replaced, by their places."""

    def __init__(self, path: Path, patches: Mapping[int, bytes]) -> None:
        super().__init__(path, "rb")
        self.patches = patches

    def readinto(self, buffer: Any) -> int:
        start = self.tell()
        read = super().readinto(buffer) or 0
        view = memoryview(buffer)
        for place, new in self.patches.items():
            for at, byte in enumerate(new, place - start):
                if 0 <= at < read:
                    view[at : at + 1] = bytes([byte])
        return read


def _patches(path: Path, file: BinaryIO) -> Mapping[int, bytes]:
    """What has to be replaced in a file of unknown length for libsndfile to read all of it.

    Raises:
        SignalError: a file that ends before it says; libsndfile would take the rest for all of it.
    """
    size = path.stat().st_size
    chunks = riff.read(file, size)
    if chunks is not None:
        if chunks.cut:
            raise SignalError("cut short, its end is missing; fetch or make it again")
        return chunks.patches
    reason = ogg.unsupported(file, size)
    if reason is not None:
        raise SignalError(reason)
    return flac.patches(file, size)
