"""Pictures that tests of images make and decode."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from torch import Tensor

from inrc import grid
from inrc.signal import Signal, View
from inrc_modalities.image import Image
from inrc_modalities.image.pixels import LAYOUTS, Pixels
from inrc_modalities.image.writing import save

CHANNELS = {layout: channels for channels, layout in LAYOUTS.items()}
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
KODAK = sorted(
    (Path(__file__).parents[2] / "shared" / "data" / "images" / "kodak").glob("kodim*.png")
)

SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""Primaries of sRGB, adapted to D50."""


def noise(mode: str, depth: int = 8, height: int = 13, width: int = 21) -> Pixels:
    """Every level of noise, in any layout."""
    channels = 1 if mode == "1" else CHANNELS[mode]
    kind = np.uint16 if depth == 16 else np.uint8
    array = np.random.default_rng(7).integers(0, 1 << depth, (height, width, channels), dtype=kind)
    return Pixels(np.where(array > 127, 255, 0).astype(kind) if mode == "1" else array, mode)


def ramp(height: int, width: int) -> NDArray[np.uint8]:
    """Smooth colours."""
    y, x = np.mgrid[:height, :width]
    return np.stack(
        [255 * y / max(height - 1, 1), 255 * x / max(width - 1, 1), 128 + 0 * y], axis=-1
    ).astype(np.uint8)


def decode(modality: Image, path: Path, view: View, field: bool = False) -> Signal:
    """What a codec without loss would make of a view; `field` answers by position instead."""
    signal = modality.read(path)
    plan = modality.plan_queries(signal.meta, view)
    if not field:
        return modality.join(modality.split(signal).features[list(plan.parts)], signal.meta, view)
    side = modality.patch or max(signal.shape)
    columns = grid.counts(signal.shape, modality._side(signal.shape))[1]
    corner = torch.tensor([divmod(part, columns) for part in plan.parts], dtype=torch.float64)
    size = torch.tensor(modality._side(signal.shape), dtype=torch.float64)
    local = (plan.queries.double() + 1) / 2 * size
    assert (local >= 0).all() and (local <= side).all()
    where = local + (corner * size)[:, None]  # pixels of the original
    fill = torch.zeros(*where.shape[:2], modality.channels - 2, dtype=torch.float64)
    return modality.join(torch.cat([where, fill], dim=-1), signal.meta, view)


def numbered(number: int, height: int = 12, width: int = 10, deep: bool = False) -> Pixels:
    """An image whose pixels say which image, row and column they are."""
    y, x = np.mgrid[:height, :width]
    array = np.stack([y, x, 0 * y + number], axis=-1)
    return Pixels(array.astype(np.uint16 if deep else np.uint8), "RGB")


def folder(path: Path, count: int, first: int = 0) -> Path:
    """A folder of numbered images."""
    path.mkdir(parents=True)
    for i in range(first, first + count):
        save(numbered(i), path / f"{i:03d}.png")
    return path


def levels(features: Tensor) -> Tensor:
    """Features as 8-bit levels."""
    return (features * 255).round().long()


def profile(
    name: bytes = b"", space: bytes = b"RGB ", curve: Sequence[int] = (),
    primaries: Sequence[Sequence[float]] = SRGB, table: bool = False,
) -> bytes:  # fmt: skip
    """A colour profile (ICC.1, version 2.1) of one curve; an empty curve is linear."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0" * 79,
        b"cprt": b"text\0\0\0\0free\0",
        b"wtpt": b"XYZ \0\0\0\0" + _fixed(0.9642, 1.0, 0.8249),
    }
    values = b"curv\0\0\0\0" + struct.pack(f">I{len(curve)}H", len(curve), *curve)
    if space == b"GRAY":
        tags[b"kTRC"] = values
    else:
        for colour, xyz in zip("rgb", primaries, strict=True):
            tags[f"{colour}XYZ".encode()] = b"XYZ \0\0\0\0" + _fixed(*xyz)
            tags[f"{colour}TRC".encode()] = values
    if table:
        tags[b"A2B0"] = b"mft1" + bytes(40)
    rows, body, start = b"", b"", 132 + 12 * len(tags)
    for tag, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        rows += tag + struct.pack(">II", start + len(body), len(data))
        body += padded
    head = struct.pack(">I", start + len(body)) + b"none\x02\x10\0\0mntr" + space + b"XYZ "
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + rows + body


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
