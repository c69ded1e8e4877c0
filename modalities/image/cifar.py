"""CIFAR-10 as training data."""

import hashlib
import io
import pickle
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from inrc import grid
from inrc.data import NamedDataSet, PatchDataset, SignalDataModule, option
from inrc.errors import SignalError, one_line
from inrc.fetch import Remote, find
from inrc_modalities.image.modality import Image
from inrc_modalities.image.pixels import Pixels
from inrc_modalities.image.rows import MovedRows
from inrc_modalities.image.writing import save

SIDE = 32
"""Pixels of a side."""


@dataclass(kw_only=True, eq=False)
class CIFAR10(NamedDataSet, SignalDataModule):
    """CIFAR-10: trains on its 50,000 training images, validates on its 10,000 test images.

    `val_paths` are the first `val_files` test images, written as PNG files into
    `root`/cifar10-test, because quality is measured on files.

    Licence: the authors state none; the data set is distributed for research, with citation of
    A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Args:
        root: folder with the archive (cifar-10-python.tar.gz), or what it unpacks to
            (cifar-10-batches-py).
        download: fetch the archive (170 MB) if it is not there.
        flip: mirror half of the training rows left to right, anew in every epoch.
        val_files: number of test images that are written as files.

    Raises:
        UsageError: a number of files below 1.
        InrcError: the archive is missing, has another SHA-256, or cannot be downloaded.
        SignalError: a part is missing, has another MD5 sum, or does not hold images.
    """

    folder: ClassVar[str] = "cifar-10-batches-py"
    """The folder that the archive unpacks to."""
    train_parts: ClassVar[Mapping[str, str]] = {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    }
    """MD5 sums of the parts to train on, by name."""
    test_parts: ClassVar[Mapping[str, str]] = {"test_batch": "40351d587109b95175f43aff81a1287e"}
    """MD5 sums of the parts to validate on, by name."""
    remote: ClassVar[Remote] = Remote(
        "cifar-10-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "none stated; distributed for research",
        "A. Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        170_498_071,
    )

    root: Path = field(kw_only=False)
    download: bool = False
    flip: bool = True
    val_files: int = option(1000, least=1)
    batch_size: int = 64
    skip_bad: bool = field(default=False, init=False)

    def build_modality(self) -> Image:
        """Whole images in RGB."""
        return Image()

    def prepare_data(self) -> None:
        """Unpack the archive, after fetching it if asked to, and write the validation files."""
        parts = [*self.train_parts, *self.test_parts]
        missing = [name for name in parts if not self._part(name).is_file()]
        if missing:
            self._unpack(find(self.remote, self.root, self.download), missing)
        paths = self._val_paths()
        if not all(path.is_file() for path in paths):
            paths[0].parent.mkdir(exist_ok=True)
            for image, path in zip(self._images(self.test_parts), paths, strict=False):
                if not path.is_file():
                    save(Pixels(image, "RGB"), path)

    def files(self) -> tuple[list[Path], list[Path]]:
        """No files to train on, and the validation files."""
        return [], [path for path in self._val_paths() if path.is_file()]

    def training_rows(self, paths: list[Path]) -> PatchDataset:
        """The training images."""
        rows = self._rows(self.train_parts)
        return MovedRows(rows.queries, rows.features, side=(SIDE, SIDE)) if self.flip else rows

    def validation_rows(self, paths: list[Path]) -> PatchDataset:
        """All test images."""
        return self._rows(self.test_parts)

    def _part(self, name: str) -> Path:
        return self.root / self.folder / name

    def _val_paths(self) -> list[Path]:
        folder = self.root / "cifar10-test"
        return [folder / f"{number:05d}.png" for number in range(self.val_files)]

    def _unpack(self, archive: Path, names: Sequence[str]) -> None:
        """Write the named parts of the archive, and no other file of it."""
        try:
            with tarfile.open(archive) as tar:
                for name in names:
                    member = tar.extractfile(f"{self.folder}/{name}")
                    assert member is not None
                    self._part(name).parent.mkdir(exist_ok=True)
                    self._part(name).write_bytes(member.read())
        except Exception as error:  # tar, gzip and disks fail in many ways
            raise SignalError(
                f"{archive}: cannot be unpacked ({one_line(error):.80}); remove it and get it again"
            ) from None

    def _images(self, parts: Mapping[str, str]) -> NDArray[np.uint8]:
        """Images N H W 3 of some parts, after checking their MD5 sums."""
        planes = []
        for name, md5 in parts.items():
            path = self._part(name)
            if not path.is_file():
                raise SignalError(
                    f"{path}: no such file; unpack {self.remote.name} from {self.remote.url} into "
                    f"{self.root}, or set download: true"
                )
            content = path.read_bytes()
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
                raise SignalError(f"{path}: damaged, its MD5 sum is not {md5}; unpack it again")
            planes.append(unpickled(content, path))
        pictures = np.concatenate(planes).reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(pictures)

    def _rows(self, parts: Mapping[str, str]) -> PatchDataset:
        images = self._images(parts)
        features = torch.from_numpy(images.reshape(len(images), -1, 3)).float() / 255.0
        return PatchDataset(grid.coordinates((SIDE, SIDE))[None], features)


_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}
"""All names that a pickled array of numbers refers to, of Python 2 or 3 and of numpy 1 or 2."""


class _Arrays(pickle.Unpickler):
    """Reads plain values and arrays of numbers; runs no other code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"refers to {module}.{name}")
        return super().find_class(module, name)


def unpickled(content: bytes, path: Path) -> NDArray[np.uint8]:
    """The pixels of one part, N 3072.

    Raises:
        SignalError: a pickle of anything but CIFAR-10's arrays; `path` is named in the message.
    """
    try:
        data = _Arrays(io.BytesIO(content), encoding="latin1").load()["data"]
    except Exception as error:  # pickles fail in every way
        raise SignalError(
            f"{path}: not a part of CIFAR-10 ({error!s:.80}); unpack it again"
        ) from None
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.size % (3 * SIDE * SIDE):
        raise SignalError(
            f"{path}: does not hold images of {SIDE} by {SIDE} pixels; unpack it again"
        )
    return data
