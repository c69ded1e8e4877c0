"""LibriSpeech as training data."""

import hashlib
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch.hub import download_url_to_file

from inrc.errors import SignalError, one_line
from inrc_modalities.audio.data import AudioDataModule
from inrc_modalities.audio.reading import blocks, read_header
from inrc_modalities.audio.writing import save


class LibriSpeech(AudioDataModule):
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
        patch: samples of a row.
        normalise: scale every file to a similar level.
        rows: train on this many patches, drawn at random; None takes all.
        batch_size: rows per step and process.
        seed: seed of the rows.
        workers: processes that read ahead.

    Raises:
        SignalError: the data is missing, unknown, or differs from its SHA-256 sums, or torchaudio
            cannot be imported.
    """

    address: ClassVar[str] = "http://www.openslr.org/resources/12"

    def __init__(
        self,
        root: Path,
        download: bool = False,
        train: str = "train-clean-100",
        val: str = "test-clean",
        seconds: float | None = 3.0,
        train_files: int | None = None,
        val_files: int | None = 200,
        patch: int = 128,
        normalise: bool = False,
        rows: int | None = 200_000,
        batch_size: int = 64,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__(
            root=root, patch=patch, normalise=normalise, rows=rows, batch_size=batch_size,
            seed=seed, workers=workers,
        )  # fmt: skip
        if seconds is not None and not seconds > 0:
            raise SignalError(f"data.seconds: {seconds}; give more than 0, or null for all")
        self.speech_root = root
        self.download = download
        self.train_split, self.val_split = train, val
        self.seconds = seconds
        self.train_files, self.val_files = train_files, val_files

    def prepare_data(self) -> None:
        """Fetch (if `download` is true) and unpack the archives, and write the clips."""
        for split in dict.fromkeys((self.train_split, self.val_split)):
            self._unpack(split)
        self.files()

    def files(self) -> tuple[list[Path], list[Path]]:
        """Clips of the two splits, in order of their names."""
        return (
            self._clips(self.train_split, self.train_files),
            self._clips(self.val_split, self.val_files),
        )

    def _unpack(self, split: str) -> None:
        """Unpack a split in `root`, if it is not there, after checking the sum of its archive."""
        if (self.speech_root / "LibriSpeech" / split).is_dir():
            return
        url = f"{self.address}/{split}.tar.gz"
        tar = self.speech_root / f"{split}.tar.gz"
        sums = self.sums()
        wanted = sums.get(url)
        if wanted is None:
            known = [each.rsplit("/", 1)[-1].removesuffix(".tar.gz") for each in sums]
            raise SignalError(f"LibriSpeech: no split {split!r}; use one of {', '.join(known)}")
        if not tar.is_file():
            if not self.download:
                raise SignalError(
                    f"{tar}: no such file; put {tar.name} from {url} into "
                    f"{self.speech_root}, or set download: true"
                )
            try:
                self.speech_root.mkdir(parents=True, exist_ok=True)
                self.fetch(url, str(tar), wanted)
            except (OSError, RuntimeError) as error:
                raise SignalError(
                    f"{url}: cannot be downloaded ({error}); put the file into {self.speech_root}"
                ) from None
        with tar.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != wanted:
            raise SignalError(f"{tar}: damaged; its SHA-256 sum is not {wanted}; fetch it again")
        with tarfile.open(tar) as packed:
            packed.extractall(self.speech_root, filter="data")

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
        recordings = _torchaudio().LIBRISPEECH(str(self.speech_root), split)
        ids = _spread(range(len(recordings)), count)
        if not ids:
            raise SignalError(
                f"{self.speech_root}/LibriSpeech/{split}: no recordings; unpack it again"
            )
        folder = self.speech_root / "LibriSpeech"
        paths = [folder / recordings.get_metadata(number)[0] for number in ids]
        if self.seconds is None:
            return paths
        clips = self.speech_root / "LibriSpeech-clips" / f"{split}-{self.seconds:g}s"
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
