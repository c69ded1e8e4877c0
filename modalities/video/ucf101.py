"""UCF101 as training data, in the size that compression papers use."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional

from inrc.data import NamedDataSet, option
from inrc.errors import SignalError, UsageError
from inrc_modalities.video.clip import Clip, Colour
from inrc_modalities.video.data import VideoDataModule
from inrc_modalities.video.pixels import rgb
from inrc_modalities.video.reading import load
from inrc_modalities.video.writing import save

FRAMES, CROP, SIDE = 24, 240, 128
"""The first 24 frames, of which the middle 240 by 240 pixels are brought to 128 by 128: the
protocol of VC-INR (Schwarz et al. 2023) and RECOMBINER (He et al. 2024, appendix C)."""
FOLDERS = ("UCF-101", ".")
LISTS = ("ucfTrainTestlist", ".")


@dataclass(kw_only=True, eq=False)
class UCF101(NamedDataSet, VideoDataModule):
    """UCF101: trains and validates on its authors' own splits, in the protocol of the papers.

    Videos are read once and kept as lossless RGB clips in `root`/ucf101-24x128x128. They are
    resized bilinearly with antialiasing; the papers do not say how. Nothing is downloaded: the
    authors publish a RAR archive of 6.5 GB without a checksum.

    Licence: none is stated; the videos are from YouTube, collected for research. Citation: K.
    Soomro, A. R. Zamir and M. Shah, "UCF101: A dataset of 101 human action classes from videos in
    the wild", CRCV-TR-12-01, 2012.

    Args:
        root: folder with UCF-101/CLASS/v_*.avi and the lists in ucfTrainTestlist/*.txt.
        split: 1, 2 or 3.
        train_clips: of the training list, spread evenly over it; None for all. RECOMBINER: 75.
        val_clips: of the test list, likewise. RECOMBINER: 16, at random.
        patch: as in `VideoDataModule`; RECOMBINER's is [24, 16, 16].

    Raises:
        UsageError: an unknown split, or fewer than one clip.
        SignalError: lists or videos are missing, or a video is too short or too small.
    """

    url: ClassVar[str] = "https://www.crcv.ucf.edu/data/UCF101.php"

    root: Path = field(kw_only=False)
    split: int = 1
    train_clips: int | None = option(75, least=1)
    val_clips: int | None = option(16, least=1)

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        if self.split not in (1, 2, 3):
            raise UsageError(f"data.split: {self.split}; give 1, 2 or 3")

    def prepare_data(self) -> None:
        """Cut and resize videos whose clips are missing, once per machine."""
        for name, count in (("train", self.train_clips), ("test", self.val_clips)):
            for video in self._listed(name, count):
                target = self._target(video)
                if not target.is_file():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    part = target.with_name(f"part-{target.name}")
                    save(protocol(self._existing(FOLDERS, video)), part)
                    part.replace(target)

    def files(self) -> tuple[list[Path], list[Path]]:
        """The clips of the training list and of the test list."""
        train, test = (
            [self._target(video) for video in self._listed(name, count)]
            for name, count in (("train", self.train_clips), ("test", self.val_clips))
        )
        return train, test

    def _target(self, video: str) -> Path:
        folder = self.root / f"ucf101-{FRAMES}x{SIDE}x{SIDE}"
        return folder / Path(video).with_suffix(".mkv").name

    def _listed(self, name: str, count: int | None) -> list[str]:
        """Names CLASS/v_*.avi from a list whose lines may end with the number of a class."""
        text = self._existing(LISTS, f"{name}list0{self.split}.txt").read_text()
        videos = [line.split()[0] for line in text.splitlines() if line.strip()]
        if not videos:
            raise SignalError(
                f"{self.root}: the {name} list of split {self.split} is empty; unpack it again"
            )
        if count is None or count >= len(videos):
            return videos
        return [videos[n] for n in np.linspace(0, len(videos) - 1, count).round().astype(int)]

    def _existing(self, folders: Sequence[str], name: str) -> Path:
        for folder in folders:
            if (self.root / folder / name).is_file():
                return self.root / folder / name
        raise SignalError(
            f"{self.root / folders[0] / name}: no such file; unpack UCF101.rar and "
            f"UCF101TrainTestSplits-RecognitionTask.zip from {self.url} into {self.root}"
        )


def protocol(path: Path) -> Clip:
    """The first frames of a video, their middle square, resized, as RGB.

    Raises:
        SignalError: a video that is too short or too small.
    """
    clip = load(path, limit=FRAMES)
    frames, height, width = clip.shape
    if frames < FRAMES or min(height, width) < CROP:
        raise SignalError(
            f"{path}: {frames} frames of {height} by {width} pixels, fewer than {FRAMES} of "
            f"{CROP} by {CROP}; remove it from the lists"
        )
    top, left = (height - CROP) // 2, (width - CROP) // 2
    square = np.stack([rgb(clip, k)[top : top + CROP, left : left + CROP] for k in range(FRAMES)])
    pixels = torch.from_numpy(square).permute(0, 3, 1, 2).float()
    small = functional.interpolate(pixels, (SIDE, SIDE), mode="bilinear", antialias=True)
    planes = small.round().clamp(0, 255).byte().permute(1, 0, 2, 3).contiguous().numpy()
    return replace(
        clip,
        planes=(planes[0], planes[1], planes[2]),
        layout="rgb",
        ticks=None,
        colour=Colour(range=2),
        aspect=Fraction(1),
    )
