"""Folders of sounds as training data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from inrc.data import PatchDataset, SignalDataModule, option
from inrc_modalities.audio import views
from inrc_modalities.audio.modality import Audio
from inrc_modalities.audio.rows import AugmentedRows


@dataclass(kw_only=True, eq=False)
class AudioDataModule(SignalDataModule):
    """Any folder of sounds, searched recursively, of any lengths, rates and channels.

    Training rows are negated and reversed in time at random.

    Args:
        patch: samples of a row.
        normalise: scale every file to a similar level.
        rows: train on this many patches, drawn uniformly from all, so that a large folder fits
            into memory; None takes all.
        val_fraction: share of the files kept for validation if there is no `val_root`, drawn with
            `seed`; one file alone is used for both.
        seed: seed of the sample, the split and the rows.

    Raises:
        UsageError: an option out of range.
        SignalError: a folder that is missing or holds no sound, or a file that cannot be read.
    """

    patch: int = 128
    normalise: bool = False
    rows: int | None = option(None, least=1)
    batch_size: int = 64
    sample_folder: Path = Path("runs/sample/audio")

    modality: Audio = field(init=False)

    def build_modality(self) -> Audio:
        """Sounds of these options."""
        return Audio(self.patch, self.normalise)

    def hold_out(self, paths: list[Path]) -> tuple[list[Path], list[Path]]:
        """Split files at random, but always alike: names often tell speakers or albums apart."""
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(paths), generator=generator).flip(0)
        train, val = super().hold_out([paths[i] for i in order.tolist()])
        return sorted(train), sorted(val)

    def training_rows(self, paths: list[Path]) -> PatchDataset:
        """All patches, or some of them, negated and reversed at random."""
        if self.rows is None:
            kept = super().training_rows(paths)
        else:
            kept = draw(self.modality, paths, self.rows, self.seed)
        return AugmentedRows(kept.queries, kept.features)


def draw(modality: Audio, paths: Sequence[Path], count: int, seed: int) -> PatchDataset:
    """Draw patches of files uniformly, in one pass, with at most `count` in memory.

    Reservoir sampling (Vitter 1985, algorithm R): patch n takes the place of a kept one with
    probability count / n.
    """
    generator = torch.Generator().manual_seed(seed)
    kept = torch.empty(0, modality.patch, 1)
    seen = 0
    for path in paths:
        parts = modality.split(modality.read(path)).features
        room = parts[: max(count - len(kept), 0)]
        kept = torch.cat([kept, room])
        number = torch.arange(seen + len(room), seen + len(parts), dtype=torch.float64)
        place = torch.rand(len(number), generator=generator, dtype=torch.float64) * (number + 1)
        place = place.long()
        for part, at in zip(parts[len(room) :], place.tolist(), strict=True):
            if at < count:
                kept[at] = part
        seen += len(parts)
    return PatchDataset(views.local(modality.patch), kept)
