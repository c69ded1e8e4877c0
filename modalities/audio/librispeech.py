"""LibriSpeech as training data."""

import hashlib
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch.hub import download_url_to_file

from inrc.data import NamedDataSet, option
from inrc.errors import SignalError, UsageError, one_line
from inrc_modalities.audio.data import AudioDataModule
from inrc_modalities.audio.reading import blocks, read_header
from inrc_modalities.audio.writing import save


@dataclass(kw_only=True, eq=False)
class LibriSpeech(NamedDataSet, AudioDataModule):
    """LibriSpeech: read English speech, 16 kHz, one channel; trains and validates on its splits.

    As in the papers, the first seconds of every recording are used. They are written as FLAC files
    to `root`/LibriSpeech-clips, because codecs are measured on files.

    Licence: CC BY 4.0. V. Panayotov, G. Chen, D. Povey and S. Khudanpur, "LibriSpeech: an ASR
    corpus based on public domain audio books", ICASSP 2015.

    Args:
        root: folder with the archives (train-clean-100.tar.gz ...), or with the folder LibriSpeech
            that they unpack to.
        download: fetch missing archives (6.3 GB and 0.3 GB by default).
        train: split to train on.
        val: split to validate on.
        seconds: of the beginning of a recording (COIN++ and RECOMBINER: 3); None takes all of it.
        train_files: number of recordings to train on, spread evenly over the names; None takes all.
        val_files: number of recordings to validate on, likewise.
        seed: seed of the rows.

    Raises:
        UsageError: an option out of range.
        SignalError: the data is missing, unknown, or differs from its SHA-256 sums, or torchaudio
            cannot be imported.
    """

    address: ClassVar[str] = "http://www.openslr.org/resources/12"

    root: Path = field(kw_only=False)
    download: bool = False
    train: str = "train-clean-100"
    val: str = "test-clean"
    seconds: float | None = 3.0
    train_files: int | None = option(None, least=1)
    val_files: int | None = option(200, least=1)
    rows: int | None = 200_000
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"data.seconds: {self.seconds}; give more than 0, or null for all")

    def prepare_data(self) -> None:
        """Fetch (if `download` is true) and unpack the archives, and write the clips."""
        for split in dict.fromkeys((self.train, self.val)):
            self._unpack(split)
        self.files()

    def files(self) -> tuple[list[Path], list[Path]]:
        """Clips of the two splits, in order of their names."""
        return (
            self._clips(self.train, self.train_files),
            self._clips(self.val, self.val_files),
        )

    def _unpack(self, split: str) -> None:
        """Unpack a split in `root`, if it is not there, after checking the sum of its archive."""
        if (self.root / "LibriSpeech" / split).is_dir():
            return
        url = f"{self.address}/{split}.tar.gz"
        tar = self.root / f"{split}.tar.gz"
        sums = self.sums()
        wanted = sums.get(url)
        if wanted is None:
            known = [each.rsplit("/", 1)[-1].removesuffix(".tar.gz") for each in sums]
            raise SignalError(f"LibriSpeech: no split {split!r}; use one of {', '.join(known)}")
        if not tar.is_file():
            if not self.download:
                raise SignalError(
                    f"{tar}: no such file; put {tar.name} from {url} into "
                    f"{self.root}, or set download: true"
                )
            try:
                self.root.mkdir(parents=True, exist_ok=True)
                self.fetch(url, str(tar), wanted)
            except (OSError, RuntimeError) as error:
                raise SignalError(
                    f"{url}: cannot be downloaded ({error}); put the file into {self.root}"
                ) from None
        with tar.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != wanted:
            raise SignalError(f"{tar}: damaged; its SHA-256 sum is not {wanted}; fetch it again")
        with tarfile.open(tar) as packed:
            packed.extractall(self.root, filter="data")

    @staticmethod
    def sums() -> Mapping[str, str]:
        """SHA-256 sums of the archives by their addresses, from torchaudio.

        Raises:
            SignalError: torchaudio cannot be imported.
        """
        return dict(_torchaudio().librispeech._CHECKSUMS)

    @staticmethod
    def fetch(url: str, path: str, sha256: str) -> None:
        """Download a file with a progress bar; it appears once its sum is right."""
        download_url_to_file(url, path, hash_prefix=sha256)

    def _clips(self, split: str, count: int | None) -> list[Path]:
        """The recordings of a split, cut where they are too long."""
        self._unpack(split)
        recordings = _torchaudio().LIBRISPEECH(str(self.root), split)
        ids = _spread(range(len(recordings)), count)
        if not ids:
            raise SignalError(f"{self.root}/LibriSpeech/{split}: no recordings; unpack it again")
        folder = self.root / "LibriSpeech"
        paths = [folder / recordings.get_metadata(number)[0] for number in ids]
        if self.seconds is None:
            return paths
        clips = self.root / "LibriSpeech-clips" / f"{split}-{self.seconds:g}s"
        clips.mkdir(parents=True, exist_ok=True)
        made = [clips / path.name for path in paths]
        for path, clip in zip(paths, made, strict=True):
            if not clip.is_file():
                cut(path, clip, self.seconds)
        return made


def _torchaudio() -> Any:
    """The data sets of torchaudio, which nothing else needs.

    Its import fails with an OSError where its library and that of torch do not fit together.

    Raises:
        SignalError: torchaudio is missing or broken.
    """
    try:
        return import_module("torchaudio.datasets")
    except (ImportError, OSError) as error:
        raise SignalError(
            f"LibriSpeech: torchaudio cannot be imported ({one_line(error):.200}); "
            "install the version that fits the installed torch"
        ) from None


def cut(path: Path, clip: Path, seconds: float) -> None:
    """Write the first seconds of a file, unchanged; the output appears whole or not at all."""
    header = read_header(path)
    frames = min(header.frames, max(1, round(seconds * header.rate)))
    # in blocks of this size, the first is the clip
    start = next(blocks(path, frames)).astype(np.float64)
    # several processes may write the same
    part = clip.with_name(f"{clip.stem}.{os.getpid()}{clip.suffix}")
    save(replace(header, frames=frames), [start], part)
    os.replace(part, clip)


def _spread(numbers: Sequence[int], count: int | None) -> list[int]:
    """`count` of these numbers, evenly spread."""
    if count is None or count >= len(numbers):
        return list(numbers)
    return [numbers[i * len(numbers) // count] for i in range(count)]
