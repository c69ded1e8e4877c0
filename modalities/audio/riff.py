"""Chunks of RIFF files (WAV, RF64): whether they are whole, and what is not kept of them."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

MAGICS = (b"RIFF", b"RIFX", b"RF64")
# Sizes of streams of unknown length: 0xFFFFFFFF (FFmpeg), 0x7FFFF000 (SoX), 0x80000000 (arecord)
# and the like, rounded down to whole samples
_STREAMED = 0x7FFF0000
_ARECORD = 0x80000000
_STREAMED_64 = 1 << 62  # the same for the 64-bit sizes of RF64
_UNKNOWN = 0xFFFFFFFF
_EXTENSIBLE = 0xFFFE
_WRITTEN_MASKS = {1: 0x4, 2: 0x3, 4: 0x33, 6: 0x3F, 8: 0xFF}
"""Speaker positions that libsndfile writes, by the number of channels; 0 for the others."""

_LOSSES = {
    b"bext": "broadcast metadata",
    b"iXML": "broadcast metadata",
    b"axml": "broadcast metadata",
    b"cue ": "cue points",
    b"plst": "cue points",
    b"smpl": "loops",
    b"acid": "loops",
    b"inst": "instrument",
    b"id3 ": "tags",
    b"ID3 ": "tags",
    b"_PMX": "tags",
}
_DERIVED = (b"fmt ", b"data", b"fact", b"ds64", b"PEAK", b"JUNK", b"junk", b"PAD ", b"FLLR")
"""Chunks that follow from the samples, or are empty space."""
_SOFTWARE = b"ISFT"  # the program that wrote the file; the only tag that FFmpeg adds by itself


@dataclass(frozen=True)
class Chunk:
    """A chunk of a file: its name, the first byte of its content, and its length."""

    name: bytes
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass(frozen=True)
class Riff:
    """The chunks of a file (Microsoft, Multimedia Programming Interface 1.0; EBU Tech 3306).

    Samples of unknown length reach to the end of the file; `patches` are what libsndfile has to
    see at some places of the file to read all of them.
    """

    chunks: tuple[Chunk, ...]
    size: int
    order: str
    patches: Mapping[int, bytes]

    @property
    def cut(self) -> bool:
        """Whether the file ends before its samples do."""
        return not any(each.name == b"data" and each.end <= self.size for each in self.chunks)

    def losses(self, file: BinaryIO) -> list[str]:
        """What is not kept of the file, in short phrases."""
        lost = []
        for chunk in self.chunks:
            file.seek(chunk.start)
            content = file.read(min(chunk.length, 1 << 20))
            if chunk.name == b"fmt ":
                lost += self._format_losses(content)
            elif chunk.name == b"LIST":
                lost += _list_losses(content)
            elif chunk.name not in _DERIVED:
                name = chunk.name.decode("ascii", "replace").strip()
                lost.append(_LOSSES.get(chunk.name, f"chunk {name!r}"))
        return lost

    def _format_losses(self, content: bytes) -> list[str]:
        """What an extensible format says beyond libsndfile's own."""
        if len(content) < 24:
            return []
        kind, channels, bits, valid, mask = struct.unpack(f"{self.order}HH10xHxxHI", content[:24])
        if kind != _EXTENSIBLE:
            return []
        lost = []
        if mask != _WRITTEN_MASKS.get(channels, 0):
            lost.append("speaker positions")
        if valid not in (0, bits):
            lost.append(f"that {valid} of {bits} bits are valid")
        return lost


def read(file: BinaryIO, size: int) -> Riff | None:
    """The chunks of a file; None if it is not RIFF."""
    file.seek(0)
    magic = file.read(12)[:4]
    if magic not in MAGICS:
        return None
    order = ">" if magic == b"RIFX" else "<"
    chunks: list[Chunk] = []
    patches: dict[int, bytes] = {}
    sizes: tuple[int, int] | None = None  # where the 64-bit sizes are, and that of the samples
    for chunk in _walk(file, order, 12, size):
        length = chunk.length
        if chunk.name == b"ds64" and chunk.start + 16 <= size:
            file.seek(chunk.start)
            sizes = chunk.start, struct.unpack("<8xQ", file.read(16))[0]
        if chunk.name == b"data":
            there = size - chunk.start
            if magic == b"RF64" and sizes is not None:
                length = sizes[1]
                unknown = length >= _STREAMED_64 or (length == 0 and there > 0)
                if unknown:
                    patches[sizes[0]] = struct.pack("<QQ", size - 8, there)
            else:
                unknown = length & 0x7FFFFFFF >= _STREAMED or length == _ARECORD
                if length == 0 and not _filled(file, order, chunk.start, size):
                    unknown = True
                    patches[chunk.start - 4] = struct.pack(f"{order}I", _UNKNOWN)
            length = there if unknown else length
        chunks.append(Chunk(chunk.name, chunk.start, length))
        if chunk.name == b"data":
            rest = chunk.start + length + length % 2
            chunks += _walk(file, order, rest, size)
            break
    return Riff(tuple(chunks), size, order, patches)


def _walk(file: BinaryIO, order: str, at: int, size: int) -> Iterator[Chunk]:
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        yield Chunk(name, at + 8, length)
        at += 8 + length + length % 2


def _filled(file: BinaryIO, order: str, at: int, size: int) -> bool:
    """Whether chunks fill the rest of a file: then an empty `data` really is empty."""
    end = at
    for chunk in _walk(file, order, at, size):
        if not chunk.name.isascii():
            return False
        end = chunk.end + chunk.length % 2
    return end in (size, size + 1)


def _list_losses(content: bytes) -> list[str]:
    if content[:4] != b"INFO":
        return ["labels"]
    at, names = 4, []
    while at + 8 <= len(content):
        names.append(content[at : at + 4])
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return ["tags"] if any(name != _SOFTWARE for name in names) else []
