"""Folders of clips as training data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inrc import grid
from inrc.data import PatchDataset, SignalDataModule, option
from inrc_modalities.video.modality import Video
from inrc_modalities.video.pixels import features
from inrc_modalities.video.reading import load
from inrc_modalities.video.rows import CutRows, Store, cut


@dataclass(kw_only=True, eq=False)
class VideoDataModule(SignalDataModule):
    """Any folder of clips, searched recursively.

    Args:
        patch: frames, height and width in pixels of the blocks that a clip is cut into.
        chroma: factor of the difference of Cb and Cr from grey, see `Video`.
        random_patches: train on this many blocks per clip and epoch, from random places and
            mirrored at random in y, x and time, instead of the regular ones.

    Raises:
        UsageError: an option out of range.
        SignalError: a folder that is missing or holds no clip, or a file that cannot be read.
    """

    patch: Sequence[int] = (8, 16, 16)
    chroma: float = 1.0
    random_patches: int | None = option(None, least=1)
    batch_size: int = 64
    sample_folder: Path = Path("runs/sample/video")

    modality: Video = field(init=False)

    def build_modality(self) -> Video:
        """Clips of these options."""
        return Video(self.patch, self.chroma)

    def training_rows(self, paths: list[Path]) -> PatchDataset:
        """Regular blocks, or blocks from random places."""
        if self.random_patches is None:
            return super().training_rows(paths)
        store = Store.of(
            features(clip, self.chroma).unflatten(1, clip.shape[1:]) for clip in map(load, paths)
        )
        patch, count = self.modality.patch, self.random_patches
        clips = [number for number in range(len(paths)) for _ in range(count)]
        drawn = cut(store, clips, patch)
        return CutRows(
            grid.coordinates(patch)[None], drawn, store=store, per_clip=count, patch=patch
        )
