"""Vimeo90k as training data: frames of films, cut at random places."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from inrc.data import NamedDataSet, option
from inrc.errors import SignalError
from inrc_modalities.image.data import ImageDataModule

SOURCE = "http://toflow.csail.mit.edu"
SIZES = {"tri": 3, "sep": 7}
"""Frames per sequence of the triplets and of the septuplets."""


@dataclass(kw_only=True, eq=False)
class Vimeo90k(NamedDataSet, ImageDataModule):
    """Frames of Vimeo90k, 448 by 256 pixels; trains and validates on its own two lists.

    Give either the triplets (vimeo_triplet.zip, 33 GB) or the septuplets (vimeo_septuplet.zip,
    82 GB). They must be unpacked by hand: their authors publish no checksums. The layout is
    checked: `sequences/00001/0001/im1.png` and the lists `tri_trainlist.txt` and
    `tri_testlist.txt`, or `sep_...`. No licence is stated; the films belong to their makers. Cite
    T. Xue et al., "Video enhancement with task-oriented flow", 2019.

    COIN++ trains on random squares of 32 pixels of 153,939 frames, which take about 53 GB of
    memory. Here `count` frames, drawn from a seed, are kept in 8 bits (0.34 MB each).

    Args:
        root: the unpacked folder.
        count: number of frames to train on, from different sequences as far as possible.
        val_count: number of frames to validate on, one of each sequence from the start of the list.
        seed: seed of the choice of frames.

    Raises:
        UsageError: a count below 1.
        SignalError: no such lists, or missing frames.
    """

    root: Path = field(kw_only=False)
    count: int = option(2000, least=1)
    val_count: int = option(32, least=1)
    patch: int | None = 32
    random_patches: int | None = 8
    flip: bool = True
    batch_size: int = 64
    seed: int = 0

    def files(self) -> tuple[list[Path], list[Path]]:
        """Frames to train on, and to validate on."""
        for kind, frames in SIZES.items():
            lists = [self.root / f"{kind}_{part}list.txt" for part in ("train", "test")]
            if all(path.is_file() for path in lists):
                train, test = (_sequences(path) for path in lists)
                chosen = drawn(train, frames, self.count, self.seed)
                return self._existing(chosen), self._existing(
                    [(name, 1) for name in test[: self.val_count]]
                )
        raise SignalError(
            f"{self.root}: no lists tri_trainlist.txt or sep_trainlist.txt in it; unpack "
            f"vimeo_triplet.zip of {SOURCE} there by hand"
        )

    def _existing(self, frames: list[tuple[str, int]]) -> list[Path]:
        paths = [self.root / "sequences" / name / f"im{number}.png" for name, number in frames]
        absent = [path for path in paths if not path.is_file()]
        if absent:
            raise SignalError(
                f"{absent[0]}: no such file ({len(absent)} of {len(paths)} are missing); unpack "
                "the archive again"
            )
        return paths


def drawn(sequences: list[str], frames: int, count: int, seed: int) -> list[tuple[str, int]]:
    """`count` different frames as (sequence, number from 1), evenly from all sequences."""
    generator = random.Random(seed)
    order = [generator.sample(sequences, len(sequences)) for _ in range(frames)]
    first = {name: generator.randrange(frames) for name in sequences}
    every = [
        (name, (first[name] + turn) % frames + 1)
        for turn, names in enumerate(order)
        for name in names
    ]
    return sorted(every[:count])


def _sequences(path: Path) -> list[str]:
    """The names of a list, like 00001/0001; names that lead out of the folder are refused."""
    names = [line.strip() for line in path.read_text(errors="replace").splitlines()]
    names = [name for name in names if name]
    wrong = [name for name in names if not all(step.isdecimal() for step in name.split("/"))]
    if wrong or not names:
        raise SignalError(
            f"{path}: not a list of sequences like 00001/0001 ({wrong[:1]!s:.40}); unpack it again"
        )
    return names
